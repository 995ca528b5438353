/**
 * Checks what a person wrote: small checkers that compose into the shape of an options object. Each takes a value and
 * where it stands (`redisOptions.db`), and returns the value or throws an error that names the option, what was
 * expected and what came.
 */
import { ConfigError, UnsupportedError } from '../shared/errors.js';
import { suggestion } from './suggestion.js';

/** Whose options are checked, and where in them: `cachalot-redis` and `redisOptions.db`. */
export interface OptionPath {
  readonly caller: string;
  readonly path: string;
  /** Collects what is taken and has no meaning here. */
  readonly ignored?: Set<string>;
}

export type Check<T> = (value: unknown, at: OptionPath) => T;

/**
 * A checker for every name of `T`: the compiler sees to it that none is forgotten. `Parsed` says which of them leave
 * their checker as something else.
 */
export type Shape<T, Parsed = object> = {
  readonly [Name in keyof Required<T>]: Check<
    Name extends keyof Parsed ? Parsed[Name] : Exclude<T[Name], undefined>
  >;
};

/** What the checkers of a shape leave. */
export type Checked<T, Parsed = object> = Omit<T, keyof Parsed> & Partial<Parsed>;

/** Names that no checker knows, with an answer of their own: an error, or `'ignored'` for what has no meaning here. */
export type ForeignNames = (name: string, at: OptionPath, value: unknown) => Error | 'ignored' | undefined;

export function invalid(at: OptionPath, expected: string, came: string, advice = ''): ConfigError {
  return new ConfigError(
    `${at.caller}: option "${at.path}": expected ${expected}, got ${came}.${sentence(advice)}`,
  );
}

export function unsupported(at: OptionPath, what: string, advice: string): UnsupportedError {
  return new UnsupportedError(`${at.caller}: option "${at.path}": ${what}.${sentence(advice)}`);
}

/** Two names for one thing that say different things. Values are left out: they may be secrets. */
function conflict(caller: string, one: string, other: string): ConfigError {
  return new ConfigError(
    `${caller}: options "${one}" and "${other}" mean the same and differ. Keep one of them.`,
  );
}

/** One value from several names for it. `undefined` if none is given. */
export function mergeAliases<T>(
  caller: string,
  given: ReadonlyArray<readonly [name: string, value: T | undefined]>,
): T | undefined {
  const present = given.filter(([, value]) => value !== undefined);
  const first = present[0];
  if (!first) {
    return undefined;
  }
  const other = present.find(([, value]) => value !== first[1]);
  if (other) {
    throw conflict(caller, first[0], other[0]);
  }
  return first[1];
}

/** What came, in a few words. `secret` keeps the value itself out. */
export function describe(value: unknown, secret = false): string {
  switch (typeof value) {
    case 'string':
      if (value === '') {
        return 'an empty string';
      }
      return secret ? 'a string' : JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
    case 'number':
    case 'boolean':
      return secret ? `a ${typeof value}` : String(value);
    case 'bigint':
      return 'a BigInt';
    case 'undefined':
      return 'nothing';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : kindOf(value);
    default:
      return `a ${typeof value}`;
  }
}

/** `an object`, or `a Map`, `an Error`: what the language itself calls it. */
function kindOf(value: object): string {
  const kind = tagOf(value);
  return kind === 'Object' ? 'an object' : `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Something with named fields. A Map or a Date has none, so all that it says would be ignored. */
export function hasNames(value: unknown): value is object {
  return typeof value === 'object' && value !== null && ['Object', 'Module'].includes(tagOf(value));
}

/** A whole number within bounds. @param unit what is counted, for the message */
export function integer(unit: string, min: number, max: number): Check<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw invalid(at, `a whole number (${unit}) from ${min} to ${max}`, describe(value), numeric(value));
    }
    return value;
  };
}

/** A number of seconds above 0. @param zero what to do instead of writing 0 */
export function secondsOr(zero: string): Check<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw invalid(at, 'a number of seconds above 0', describe(value), value === 0 ? zero : numeric(value));
    }
    return value;
  };
}

/** Of a provider's entries. */
export const seconds = secondsOr('With 0 nothing would be stored; for no caching, remove the provider');

export const flag: Check<boolean> = (value, at) => {
  if (typeof value !== 'boolean') {
    throw invalid(at, 'true or false', describe(value));
  }
  return value;
};

export function text(expected = 'a non-empty string', secret = false): Check<string> {
  return (value, at) => {
    if (typeof value !== 'string' || value === '') {
      throw invalid(at, expected, describe(value, secret));
    }
    return value;
  };
}

/** A string that no message ever shows. */
export const secret: Check<string> = text('a non-empty string', true);

export function oneOf<T extends string>(...names: readonly T[]): Check<T> {
  return (value, at) => {
    const found = names.find((name) => name === value);
    if (found === undefined) {
      const advice = typeof value === 'string' ? (suggestion(value, names, 'value') ?? '') : '';
      throw invalid(at, names.map((name) => `"${name}"`).join(' or '), describe(value), advice);
    }
    return found;
  };
}

/** An object of these options. What is `undefined` counts as absent. */
export function object<T extends object, Parsed = object>(
  shape: Shape<T, Parsed>,
  notes?: ForeignNames,
): Check<Checked<T, Parsed>> {
  const names = Object.keys(shape);
  return (value, at) => {
    if (!hasNames(value)) {
      const expected = 'an object of options';
      throw at.path === ''
        ? new ConfigError(`${at.caller}: expected ${expected}, got ${describe(value, true)}.`)
        : invalid(at, expected, describe(value, true));
    }
    const checked: Record<string, unknown> = {};
    for (const [name, given] of Object.entries(value)) {
      if (given === undefined) {
        continue;
      }
      const where = { ...at, path: at.path === '' ? name : `${at.path}.${name}` };
      if (!Object.hasOwn(shape, name)) {
        const note = notes?.(name, where, given) ?? unknown(where, name, at.path, names);
        if (note !== 'ignored') {
          throw note;
        }
        at.ignored?.add(where.path);
        continue;
      }
      checked[name] = shape[name as keyof T](given, where);
    }
    return checked as Checked<T, Parsed>;
  };
}

/** Options that may also be just switched on or off: `compression: false`. */
export function switchable<T extends { enabled?: boolean | undefined }>(inner: Check<T>): Check<boolean | T> {
  return (value, at) => (typeof value === 'boolean' ? value : inner(value, at));
}

function unknown(where: OptionPath, name: string, parent: string, names: readonly string[]): ConfigError {
  const hint = suggestion(name, names, 'option', parent);
  return new ConfigError(
    `${where.caller}: unknown option "${where.path}". ${hint === undefined ? 'All' : `${hint}; all`} are: ${names.join(', ')}.`,
  );
}

/** Environment variables are strings: the commonest reason for a number that is none. */
function numeric(value: unknown): string {
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
    ? `Convert it with Number(…)`
    : '';
}

function sentence(advice: string): string {
  return advice === '' ? '' : ` ${advice}${/[.?!]$/.test(advice) ? '' : '.'}`;
}
