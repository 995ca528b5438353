/** Checks of what the adapters are called with. Each error says what was expected, what came and what to do. */

import { describe } from '../options/check.js';
import { ConfigError, TooLargeError } from './errors.js';

/** An entry's header counts the bytes of its key in 16 bits (docs/internals/wire-format.md). */
const MAX_KEY_BYTES = 65_535;

/** For `get` and `clear`: an empty key counts as none, as with Medusa's own providers. */
export function optionalKey(caller: string, key: unknown): string | undefined {
  return key === undefined || key === null || key === '' ? undefined : requiredKey(caller, key);
}

/** @param name what the caller knows it by */
export function requiredKey(caller: string, key: unknown, name = 'key'): string {
  if (typeof key !== 'string' || key === '') {
    throw refused(caller, name, 'a non-empty string', describe(key));
  }
  if (!key.isWellFormed()) {
    const advice = 'Two such names would be one in the store';
    throw refused(caller, name, 'well-formed Unicode', 'a lone surrogate', advice);
  }
  // A character has at most 3 bytes for each of its UTF-16 units, so that few need counting.
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    const came = `${Buffer.byteLength(key)}`;
    throw refused(caller, name, `at most ${MAX_KEY_BYTES} bytes`, came, 'Hash it before you use it');
  }
  return key;
}

/** Milliseconds. */
export function lifetime(caller: string, ttl: unknown, fallback: number): number {
  const seconds = ttl === undefined ? fallback : ttl;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) {
    throw refused(
      caller,
      'ttl',
      'a finite number of seconds, 0 or more',
      describe(seconds),
      'Leave it out for the default',
    );
  }
  // 0 means "store nothing"; a lifetime above 0 is never rounded down to it. A larger number than the last is exact no more.
  return seconds === 0 ? 0 : Math.min(Math.max(1, Math.round(seconds * 1000)), Number.MAX_SAFE_INTEGER);
}

/** The JSON text of a value that JSON can hold. */
export function serialized(caller: string, data: unknown): string {
  const reason = unfaithful(data);
  if (reason !== undefined) {
    throw refused(caller, 'data', 'a value that JSON can hold', reason);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    if (cause instanceof RangeError && /string length/i.test(cause.message)) {
      throw new TooLargeError(
        `${caller}: data: its JSON text is longer than V8's longest string (some 512 MB). Nothing was stored; store less.`,
        { cause },
      );
    }
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ConfigError(
      `${caller}: data: expected a value that JSON can hold: ${why}. Nothing was stored.`,
      {
        cause,
      },
    );
  }
  if (text === undefined) {
    throw refused(caller, 'data', 'a value that JSON can hold', 'one whose toJSON() returns nothing');
  }
  return text;
}

/** What JSON.stringify would silently turn into something else. Only the value itself: looking inside costs too much. */
function unfaithful(data: unknown): string | undefined {
  switch (typeof data) {
    case 'undefined':
      return 'undefined';
    case 'function':
    case 'symbol':
    case 'bigint':
      return describe(data);
    case 'number':
      return Number.isFinite(data) ? undefined : String(data);
    case 'object':
      if (typeof (data as { then?: unknown } | null)?.then === 'function') {
        return 'a promise; await it first';
      }
      return data instanceof Map || data instanceof Set
        ? `a ${data.constructor.name}; make an array of it first`
        : undefined;
    default:
      return undefined;
  }
}

/** An argument that no operation takes. */
export function refused(
  caller: string,
  name: string,
  expected: string,
  came: string,
  advice = '',
): ConfigError {
  return new ConfigError(
    `${caller}: ${name}: expected ${expected}, got ${came}.${advice === '' ? '' : ` ${advice}.`} Nothing was done.`,
  );
}
