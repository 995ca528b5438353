/** Checks of what the faces are called with. Each error says what was expected, what came and what to do. */
import { ConfigError, TooLargeError } from './errors.js';
import { describe } from './options/check.js';
import type { InvalidationOptions } from './types.js';

/** Of one get or clear: with names of usual length half a megabyte, a server's millisecond or two. */
const MAX_TAGS_A_CALL = 10_000;

/** An entry's header counts the bytes of a name in 16 bits (docs/wire-format.md). */
const MAX_NAME_BYTES = 65_535;

/** All tags of an entry are checked at every read; its header counts them in 8 bits. */
const MAX_TAGS = 128;

/** For `get` and `clear`: an empty key counts as none, as with Medusa's own providers. */
export function optionalKey(face: string, key: unknown): string | undefined {
  return key === undefined || key === null || key === '' ? undefined : requiredKey(face, key);
}

/** @param name what the caller knows it by */
export function requiredKey(face: string, key: unknown, name = 'key'): string {
  if (typeof key !== 'string' || key === '') {
    throw refused(face, name, 'a non-empty string', describe(key));
  }
  checkWellFormed(face, name, key);
  checkLength(face, name, key);
  return key;
}

export function tagList(face: string, tags: unknown): readonly string[] {
  if (tags === undefined || tags === null) {
    return [];
  }
  if (!Array.isArray(tags)) {
    throw refused(face, 'tags', 'an array of strings', describe(tags));
  }
  if (tags.length > MAX_TAGS_A_CALL) {
    throw refused(
      face,
      'tags',
      `at most ${MAX_TAGS_A_CALL} of them`,
      String(tags.length),
      'Make several calls',
    );
  }
  // A copy: what was checked is what is sent, whatever the array does next.
  return Array.from(tags, (tag: unknown) => {
    if (typeof tag !== 'string') {
      throw refused(face, 'tags', 'an array of strings', `one with ${describe(tag)} in it`);
    }
    checkWellFormed(face, 'tags', tag);
    checkLength(face, 'tags', tag);
    return tag;
  });
}

/** Tags to store an entry with. @param implicit tags that it has besides: one for each of its namespaces */
export function entryTags(face: string, tags: unknown, implicit = 0): readonly string[] {
  const list = tagList(face, tags);
  const most = MAX_TAGS - implicit;
  if (list.length > most) {
    const distinct = new Set(list);
    distinct.delete('*');
    if (distinct.size > most) {
      const beside = implicit === 0 ? '' : ` beside the key's ${implicit} namespaces`;
      throw refused(face, 'tags', `at most ${most} of them${beside}`, String(distinct.size));
    }
  }
  return list;
}

/** Milliseconds. */
export function lifetime(face: string, ttl: unknown, fallback: number): number {
  const seconds = ttl === undefined ? fallback : ttl;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) {
    throw refused(
      face,
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
export function serialized(face: string, data: unknown): string {
  const reason = unfaithful(data);
  if (reason !== undefined) {
    throw refused(face, 'data', 'a value that JSON can hold', reason);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    if (cause instanceof RangeError && /string length/i.test(cause.message)) {
      throw new TooLargeError(
        `${face}: data: its JSON text is longer than V8's longest string (some 512 MB). Nothing was stored; store less.`,
        { cause },
      );
    }
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ConfigError(`${face}: data: expected a value that JSON can hold: ${why}. Nothing was stored.`, {
      cause,
    });
  }
  if (text === undefined) {
    throw refused(face, 'data', 'a value that JSON can hold', 'one whose toJSON() returns nothing');
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

/** What a clear by tags raises; `undefined` = these options clear nothing by tags. */
export function raised(options: InvalidationOptions | null | undefined): 'all' | 'auto' | undefined {
  if (options === undefined || options === null) {
    return 'all';
  }
  return options.autoInvalidate === true ? 'auto' : undefined;
}

/** An argument that no operation takes. */
export function refused(
  face: string,
  name: string,
  expected: string,
  came: string,
  advice = '',
): ConfigError {
  return new ConfigError(
    `${face}: ${name}: expected ${expected}, got ${came}.${advice === '' ? '' : ` ${advice}.`} Nothing was done.`,
  );
}

function checkLength(face: string, name: string, text: string): void {
  // A character has at most 3 bytes for each of its UTF-16 units, so that few need counting.
  if (text.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(text) > MAX_NAME_BYTES) {
    const came = `${Buffer.byteLength(text)}`;
    throw refused(face, name, `at most ${MAX_NAME_BYTES} bytes each`, came, 'Hash it before you use it');
  }
}

function checkWellFormed(face: string, name: string, text: string): void {
  if (!isWellFormed(text)) {
    throw refused(
      face,
      name,
      'well-formed Unicode',
      'a lone surrogate',
      'Two such names would be one in the store',
    );
  }
}

/** Node 20 has it; the compiler's library for it only from ES2024. */
function isWellFormed(value: string): boolean {
  return (value as string & { isWellFormed(): boolean }).isWellFormed();
}
