/**
 * What JSON.stringify would turn into something else without a word. It is asked after JSON.stringify, so a value
 * without circles comes in. What has a `toJSON` of its own (Date, Decimal, documents of an ODM) says itself what it
 * becomes; a property that is `undefined` is left out, as everyone expects of JSON.
 */

/** Where the loss is and what it is: `a Map at items[3].tags`. `undefined` = nothing is lost. */
export function lossIn(value: unknown): string | undefined {
  const found = value === undefined ? 'undefined' : search(value);
  if (found === undefined || typeof found === 'string') {
    return found;
  }
  return found.path === '' ? found.what : `${found.what} at ${found.path}`;
}

interface Loss {
  what: string;
  path: string;
}

function search(value: unknown): Loss | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : { what: String(value), path: '' };
    case 'bigint':
      // Without a `toJSON` that the application gave it, JSON.stringify has refused it.
      return undefined;
    case 'function':
    case 'symbol':
      return { what: `a ${typeof value}`, path: '' };
    case 'object':
      return value === null ? undefined : within(value);
    default:
      return undefined;
  }
}

function within(value: object): Loss | undefined {
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    // A Buffer says something, which nothing reads back as bytes.
    return ArrayBuffer.isView(value) ? { what: `a ${named(value)}`, path: '' } : undefined;
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      const loss = item === undefined ? { what: 'undefined', path: '' } : search(item);
      if (loss !== undefined) {
        return under(`[${index}]`, loss);
      }
    }
    return undefined;
  }
  const what = opaque(value);
  if (what !== undefined) {
    return { what, path: '' };
  }
  for (const name of Object.keys(value)) {
    const loss = search((value as Record<string, unknown>)[name]);
    if (loss !== undefined) {
      return under(name, loss);
    }
  }
  return undefined;
}

/** Objects whose content JSON does not see. By their tag: one of another realm is no `instanceof`. */
function opaque(value: object): string | undefined {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return typeof (value as { then?: unknown }).then === 'function' ? 'a promise; await it first' : undefined;
  }
  if (typeof (value as { then?: unknown }).then === 'function') {
    return 'a promise; await it first';
  }
  const tag = named(value);
  if (ArrayBuffer.isView(value)) {
    return `a ${tag}`;
  }
  return OPAQUE.has(tag) ? `${/^[AE]/.test(tag) ? 'an' : 'a'} ${tag}` : undefined;
}

function named(value: object): string {
  return Buffer.isBuffer(value) ? 'Buffer' : Object.prototype.toString.call(value).slice(8, -1);
}

const OPAQUE = new Set([
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'RegExp',
  'Error',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'Generator',
  'AsyncGenerator',
  'Map Iterator',
  'Set Iterator',
  'Array Iterator',
  'Blob',
  'File',
  'FormData',
  'Headers',
  'ReadableStream',
  'Request',
  'Response',
  'URLSearchParams',
]);

function under(name: string, loss: Loss): Loss {
  const joint = loss.path === '' || loss.path.startsWith('[') ? '' : '.';
  return { what: loss.what, path: `${name}${joint}${loss.path}` };
}
