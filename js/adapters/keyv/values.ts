/**
 * What Keyv stores: text, as its serializer makes it. Without a serializer it hands over `{ value, expires }` itself, and
 * a serializer of one's own may make bytes. Those are told apart by their first byte.
 */
import { deserialize, serialize } from 'node:v8';
import { ConfigError, CorruptError } from '../../shared/errors.js';

const BYTES = 1;
const STRUCTURE = 2;

/** @throws ConfigError on what cannot be kept: a function, a symbol, a promise or anything that holds one */
export function packed(caller: string, value: unknown): string | Uint8Array {
  // Half a surrogate pair has no UTF-8; V8 keeps it.
  if (typeof value === 'string' && value.isWellFormed()) {
    return value;
  }
  // Not `instanceof`: test runners give each file a realm of its own.
  if (Object.prototype.toString.call(value) === '[object Uint8Array]') {
    return tagged(BYTES, value as Uint8Array);
  }
  let bytes: Uint8Array;
  try {
    bytes = serialize(value);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ConfigError(
      `${caller}: value: expected one that can be cloned (no function, symbol or promise in it), got one that cannot: ${why}. Nothing was stored.`,
      { cause },
    );
  }
  return tagged(STRUCTURE, bytes);
}

/** @throws CorruptError on bytes that no version of this adapter wrote */
export function unpacked(caller: string, stored: string | Uint8Array): unknown {
  if (typeof stored === 'string') {
    return stored;
  }
  const content = stored.subarray(1);
  if (stored[0] === BYTES) {
    return Buffer.from(content);
  }
  try {
    if (stored[0] === STRUCTURE) {
      return deserialize(content);
    }
  } catch (cause) {
    throw unreadable(caller, cause);
  }
  throw unreadable(caller);
}

function tagged(kind: number, content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(content.length + 1);
  whole[0] = kind;
  whole.set(content, 1);
  return whole;
}

function unreadable(caller: string, cause?: unknown): CorruptError {
  return new CorruptError(
    `${caller}: a stored value is nothing that this adapter wrote. It counts as a miss; the next set replaces it, or give the adapter a prefix of its own.`,
    { cause },
  );
}
