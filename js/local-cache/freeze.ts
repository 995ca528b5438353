/** Values that many callers share. Only what JSON.parse makes: plain objects, arrays and primitives, each of them once. */

/**
 * What V8 takes, in bytes: an object with its first slots, an array, a string, a number that is no small integer, and
 * each property or element. Compared with the heap of some 100,000 values, Node 20.
 */
const OBJECT = 56;
const ARRAY = 48;
const STRING = 24;
const NUMBER = 16;
const PROPERTY = 12;
const ELEMENT = 8;

/** An object of more properties than this is a dictionary, with names of its own. */
const DICTIONARY = 64;
const DICTIONARY_PROPERTY = 72;

/** The value, frozen to its depths. Not by recursion: JSON nests deeper than a stack. */
export function frozen<T>(value: T): T {
  for (const container of containers(value)) {
    Object.freeze(container);
  }
  return value;
}

/** Bytes of memory, about. @param width bytes of a character */
export function weightOf(value: unknown, width: 1 | 2): number {
  let weight = own(value, width);
  for (const container of containers(value)) {
    const values = Object.values(container);
    const each = values.length > DICTIONARY ? DICTIONARY_PROPERTY : PROPERTY;
    weight += Array.isArray(container) ? ARRAY + ELEMENT * values.length : OBJECT + each * values.length;
    for (const inner of values) {
      weight += own(inner, width);
    }
  }
  return weight;
}

function own(value: unknown, width: 1 | 2): number {
  switch (typeof value) {
    case 'string':
      return STRING + width * value.length;
    case 'number':
      return (value | 0) === value ? 0 : NUMBER;
    default:
      return 0;
  }
}

function* containers(value: unknown): Generator<object> {
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'object' && next !== null) {
      yield next;
      for (const inner of Object.values(next)) {
        if (typeof inner === 'object') {
          left.push(inner);
        }
      }
    }
  }
}
