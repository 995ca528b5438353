/** Values as text or bytes. What cannot be represented is an error that says where it stands, never a silent loss. */
import { deserialize, serialize } from 'node:v8';
import { frozen } from '../local-cache/freeze.js';
import { describe } from '../options/check.js';
import { ConfigError, TooLargeError } from '../shared/errors.js';
import { lossIn } from './json-loss.js';
import { becomesAnother } from './jsonify.js';

/** A serializer of your own. Both may throw: on `set` the caller gets the error, on `get` it is a miss. */
export interface Serializer {
  serialize(value: unknown): string | Uint8Array;
  deserialize(stored: string | Uint8Array): unknown;
}

/** What the cache works with. */
export interface Codec extends Serializer {
  /** The native core's own reader of JSON may be used. */
  readonly json: boolean;
  /** @param caller who is to be named in an error */
  serialize(value: unknown, caller?: string): string | Uint8Array;
  /** What is read back of a value: itself, unless that is another. @param stored what it is stored as, if it is */
  asRead(value: unknown, stored?: string | Uint8Array): unknown;
}

/** @param share whether callers get one value, which is therefore frozen */
export function codecOf(caller: string, chosen: 'json' | 'structured' | Serializer, share = false): Codec {
  if (chosen === 'json') {
    return {
      json: true,
      serialize: (value, method = caller) => toJson(method, value),
      asRead: asJson,
      deserialize: share ? (stored) => frozen(fromJson(stored)) : fromJson,
    };
  }
  if (chosen === 'structured') {
    return {
      json: false,
      serialize: (value, method = caller) => toStructured(method, value),
      asRead: (value) => value,
      deserialize: fromStructured,
    };
  }
  return {
    json: false,
    serialize: (value, method = caller) => checked(method, chosen.serialize(value)),
    asRead: (value) => value,
    deserialize: (stored) => chosen.deserialize(stored),
  };
}

function toJson(caller: string, value: unknown): string {
  let text: string | undefined;
  let loss: string | undefined;
  try {
    text = JSON.stringify(value);
    loss = lossIn(value);
  } catch (cause) {
    throw unrepresentable(caller, 'JSON', cause);
  }
  if (loss !== undefined || text === undefined) {
    throw new ConfigError(
      `${caller}: value: expected a value that JSON can hold, got ${loss ?? describe(value)}. Nothing was stored; convert it, or use a serializer that can (createCache takes serializer: 'structured').`,
    );
  }
  return text;
}

function asJson(value: unknown, stored?: string | Uint8Array): unknown {
  let text: unknown = stored;
  try {
    text ??= JSON.stringify(value);
  } catch {
    // It is stored nowhere.
  }
  return typeof text === 'string' && becomesAnother(value) ? JSON.parse(text) : value;
}

function fromJson(stored: string | Uint8Array): unknown {
  if (typeof stored !== 'string') {
    throw new TypeError('bytes, where JSON text was expected');
  }
  return JSON.parse(stored);
}

function toStructured(caller: string, value: unknown): Uint8Array {
  try {
    return serialize(value);
  } catch (cause) {
    throw unrepresentable(caller, "the structured serializer (Node.js's v8.serialize)", cause);
  }
}

function fromStructured(stored: string | Uint8Array): unknown {
  if (typeof stored === 'string') {
    throw new TypeError('text, where structured bytes were expected');
  }
  return deserialize(stored);
}

function checked(caller: string, serialized: unknown): string | Uint8Array {
  // Not `instanceof`: test runners give each file a realm of its own.
  if (
    typeof serialized === 'string' ||
    Object.prototype.toString.call(serialized) === '[object Uint8Array]'
  ) {
    return serialized as string | Uint8Array;
  }
  throw new ConfigError(
    `${caller}: serializer.serialize: expected it to return a string or a Uint8Array, got ${describe(serialized)}. Nothing was stored.`,
  );
}

function unrepresentable(caller: string, by: string, cause: unknown): Error {
  if (cause instanceof RangeError && /string length|buffer|allocation/i.test(cause.message)) {
    return new TooLargeError(
      `${caller}: value: it is larger than Node.js can serialize at once (${cause.message}). Nothing was stored; store less.`,
      { cause },
    );
  }
  const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  return new ConfigError(
    `${caller}: value: expected a value that ${by} can hold: ${why}. Nothing was stored.`,
    { cause },
  );
}
