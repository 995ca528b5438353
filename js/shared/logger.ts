/** Loggers: what an adapter takes as one, and how it writes to it. */
import { type Check, describe, invalid } from '../options/check.js';
import type { StoreSpec } from '../options/native-config.js';

/** What is needed of a logger. Any of its methods may be missing; `log` takes the place of `info` and `warn`. */
export interface CacheLogger {
  log?(message: string): void;
  debug?(message: string): void;
  info?(message: string): void;
  warn?(message: string): void;
  error?(message: string): void;
}

/** A logger, as one adapter uses it: every line names the adapter. */
export class Logger {
  readonly #logger: CacheLogger;
  readonly #name: string;

  constructor(logger: CacheLogger, name: string) {
    this.#logger = logger;
    this.#name = name;
  }

  /** A logger may lack methods, and one that throws must not make a cache fail. */
  line(level: 'debug' | 'info' | 'warn', ...sentences: string[]): void {
    const message = sentences.map((one) => (/[.…!?]$/.test(one) ? one : `${one}.`)).join(' ');
    const logger = this.#logger;
    // What only `log` takes may be shown to everybody: a debug line is not for it.
    const method = typeof logger[level] !== 'function' && level !== 'debug' ? 'log' : level;
    try {
      logger[method]?.(`[${this.#name}] ${message}`);
    } catch {
      // There is nowhere to say it.
    }
  }

  /** Tells of options that were taken and have no meaning here. */
  ignored({ ignored }: Pick<StoreSpec, 'ignored'>): void {
    if (ignored !== undefined) {
      this.line('info', `Ignored, for they have no meaning here: ${ignored.join(', ')}`);
    }
  }
}

/**
 * Where no logger is given: an outage is a warning of the process, unless somebody hears of it otherwise.
 * @param heard whether somebody does
 */
export function processWarnings(heard: () => boolean): CacheLogger {
  return {
    warn(message) {
      if (!heard()) {
        process.emitWarning(message, 'CachalotWarning');
      }
    },
  };
}

/** Where no logger is given: what is worth a line, which a connection that comes is not. Looked up late, for those who replace `console`. */
export const consoleLogger: CacheLogger = {
  info: (message) => console.info(message),
  warn: (message) => console.warn(message),
};

/** The option `logger`. */
export const loggerOption: Check<CacheLogger> = (value, at) => {
  if (typeof value !== 'object' || value === null) {
    throw invalid(at, 'a logger such as console', describe(value));
  }
  return value as CacheLogger;
};

/** Why a server cannot be reached, with its address once. */
export function lossOf(server: string, why: string): string {
  return why.includes(server) ? why : `No connection to ${server}: ${why}`;
}
