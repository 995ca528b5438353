import type { CacheLogger } from './types.js';

/** A logger, as one face uses it: every line names the face. */
export class FaceLog {
  readonly #logger: CacheLogger;
  readonly #name: string;

  constructor(logger: CacheLogger, name: string) {
    this.#logger = logger;
    this.#name = name;
  }

  /** A logger may lack methods, and one that throws must not make a cache fail. */
  line(level: 'debug' | 'info' | 'warn', ...sentences: string[]): void {
    const message = sentences.map((one) => (/[.…!?]$/.test(one) ? one : `${one}.`)).join(' ');
    try {
      this.#logger[level]?.(`[${this.#name}] ${message}`);
    } catch {
      // There is nowhere to say it.
    }
  }
}

/** Why a server cannot be reached, with its address once. */
export function lossOf(server: string, why: string): string {
  return why.includes(server) ? why : `No connection to ${server}: ${why}`;
}
