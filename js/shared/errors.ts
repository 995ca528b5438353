/**
 * Errors with stable codes. `instanceof` goes by a brand and the code, so that it holds for errors of another copy of
 * this package (its CommonJS and its ES build in one process, two versions in one tree).
 */

const BRAND = Symbol.for('cachalot.error');

/** Codes are public API: they never change their meaning. */
export type ErrorCode =
  | 'CACHALOT_CONFIG'
  | 'CACHALOT_CONNECTION'
  | 'CACHALOT_TIMEOUT'
  | 'CACHALOT_BUSY'
  | 'CACHALOT_TOO_LARGE'
  | 'CACHALOT_CORRUPT'
  | 'CACHALOT_SERVER'
  | 'CACHALOT_UNSUPPORTED'
  | 'CACHALOT_CLOSED'
  | 'CACHALOT_FACTORY'
  | 'CACHALOT_FACTORY_TIMEOUT'
  | 'CACHALOT_RECURSION'
  | 'CACHALOT_INTERNAL';

export interface ErrorDetails {
  cause?: unknown;
  queued?: boolean;
}

/** Any error of Cachalot. Its message says what was expected, what came, and what to do. */
export class CachalotError extends Error {
  /** The code that a subclass stands for. */
  static readonly code?: ErrorCode;

  readonly code: ErrorCode;
  /** Of a clear: it failed, but is kept and replayed before the first read after the outage. */
  readonly queued: boolean;

  constructor(code: ErrorCode, message: string, details?: ErrorDetails) {
    super(message, details?.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.queued = details?.queued ?? false;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

Object.defineProperty(CachalotError, Symbol.hasInstance, {
  value(this: typeof CachalotError, value: unknown): boolean {
    // A class that someone else derived goes by its prototype, as usual.
    if (this !== CachalotError && !Object.hasOwn(this, 'code')) {
      return Function.prototype[Symbol.hasInstance].call(this, value);
    }
    if (typeof value !== 'object' || value === null || !(BRAND in value)) {
      return false;
    }
    return this === CachalotError || (value as { code?: unknown }).code === this.code;
  },
});
CachalotError.prototype.name = 'CachalotError';

/** An option or argument is unknown or ill-typed. Nothing was done. */
export class ConfigError extends CachalotError {
  static override readonly code = 'CACHALOT_CONFIG';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_CONFIG', message, details);
  }
}

/** No working connection to the server. */
export class ConnectionError extends CachalotError {
  static override readonly code = 'CACHALOT_CONNECTION';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_CONNECTION', message, details);
  }
}

/** The server did not answer within `commandTimeout` (or `connectTimeout`). */
export class TimeoutError extends CachalotError {
  static override readonly code = 'CACHALOT_TIMEOUT';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_TIMEOUT', message, details);
  }
}

/** More work is in flight than the bounded queue takes. */
export class BusyError extends CachalotError {
  static override readonly code = 'CACHALOT_BUSY';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_BUSY', message, details);
  }
}

/** The value is larger than the store or `maxValueBytes` takes. No older value was left behind. */
export class TooLargeError extends CachalotError {
  static override readonly code = 'CACHALOT_TOO_LARGE';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_TOO_LARGE', message, details);
  }
}

/** Stored bytes did not decode. Reads turn it into a counted miss. */
export class CorruptError extends CachalotError {
  static override readonly code = 'CACHALOT_CORRUPT';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_CORRUPT', message, details);
  }
}

/** The server answered with an error. */
export class ServerError extends CachalotError {
  static override readonly code = 'CACHALOT_SERVER';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_SERVER', message, details);
  }
}

/** The server, or its configuration, lacks something that Cachalot needs. */
export class UnsupportedError extends CachalotError {
  static override readonly code = 'CACHALOT_UNSUPPORTED';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_UNSUPPORTED', message, details);
  }
}

/** The cache was closed. */
export class ClosedError extends CachalotError {
  static override readonly code = 'CACHALOT_CLOSED';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_CLOSED', message, details);
  }
}

/** A factory gave up by its context's `fail()`. */
export class FactoryError extends CachalotError {
  static override readonly code = 'CACHALOT_FACTORY';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_FACTORY', message, details);
  }
}

/** A factory took longer than `hardTimeout`; its `signal` was aborted. */
export class FactoryTimeoutError extends CachalotError {
  static override readonly code = 'CACHALOT_FACTORY_TIMEOUT';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_FACTORY_TIMEOUT', message, details);
  }
}

/** A factory asked for a value that waits for the factory itself. Nothing was done. */
export class RecursionError extends CachalotError {
  static override readonly code = 'CACHALOT_RECURSION';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_RECURSION', message, details);
  }
}

/** A defect of Cachalot's own; please report it. */
export class InternalError extends CachalotError {
  static override readonly code = 'CACHALOT_INTERNAL';
  constructor(message: string, details?: ErrorDetails) {
    super('CACHALOT_INTERNAL', message, details);
  }
}

const CLASSES = [
  ConfigError,
  ConnectionError,
  TimeoutError,
  BusyError,
  TooLargeError,
  CorruptError,
  ServerError,
  UnsupportedError,
  ClosedError,
  FactoryError,
  FactoryTimeoutError,
  RecursionError,
  InternalError,
];

for (const Class of CLASSES) {
  // On the prototype: an own property would be printed with every error.
  Object.defineProperty(Class.prototype, 'name', { value: nameOf(Class.code), configurable: true });
}

/** From the code, since a minifier may have renamed the class. */
function nameOf(code: ErrorCode): string {
  const words = code.slice('CACHALOT_'.length).toLowerCase().split('_');
  return `${words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')}Error`;
}

/** What crossed from the core, as an error of its class. */
export function errorOf(crossed: unknown): CachalotError {
  const { code, message, queued } = (crossed ?? {}) as Partial<Record<keyof CachalotError, unknown>>;
  const text = typeof message === 'string' ? message : String(crossed);
  const Class = CLASSES.find((candidate) => candidate.code === code);
  return Class ? new Class(text, { queued: queued === true }) : new InternalError(text, { cause: crossed });
}

const OUTAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CACHALOT_CONNECTION',
  'CACHALOT_TIMEOUT',
  'CACHALOT_BUSY',
]);

/** The server is away or too slow. */
export function isOutage(error: unknown): boolean {
  return error instanceof CachalotError && OUTAGE.has(error.code);
}

/** What was thrown, for people. Anything can be thrown, also what cannot be made a string. */
export function errorMessage(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}
