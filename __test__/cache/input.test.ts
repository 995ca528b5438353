// What people get wrong, and what they store. Process memory does: nothing of it reaches a store.

import { afterEach, describe, expect, it } from 'vitest';
import { type Cache, type CacheOptions, createCache, memcached, memory, redis } from '../../js/index.js';

const open: Cache<unknown>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()));
});

function create(options: Partial<CacheOptions> = {}): Cache<unknown> {
  const cache = createCache({ store: memory(), ...options } as CacheOptions);
  open.push(cache);
  return cache;
}

describe('options', () => {
  it.each([
    [{ store: undefined }, /option "store": expected redis\(\{ url \}\).*got nothing/],
    [{ store: 'redis://127.0.0.1' }, /option "store": .*got a string/],
    [{ store: {} }, /option "store": .*got an object/],
    [{ prefix: '' }, /option "prefix": expected a non-empty string, got an empty string/],
    [{ ttl: -1 }, /option "ttl": expected milliseconds of 0 or more.*got -1/],
    [{ ttl: '5 parsecs' }, /option "ttl": .*got "5 parsecs"/],
    [{ ttl: '10' }, /option "ttl": .*got "10"/],
    [{ ttl: Number.NaN }, /option "ttl": .*got NaN/],
    [{ grace: true }, /option "grace": .*got true/],
    [{ timeout: '30d' }, /option "timeout": expected at most 2147483647 ms/],
    [{ hardTimeout: 0 }, /option "hardTimeout": expected milliseconds above 0.*got 0/],
    [{ lockTimeout: 0 }, /option "lockTimeout": expected milliseconds above 0/],
    [{ earlyRefresh: 0 }, /option "earlyRefresh": expected true, false or a number above 0, got 0/],
    [{ serializer: 'yaml' }, /option "serializer": expected "json" or "structured", got "yaml"/],
    [{ serializer: { serialize: () => '' } }, /serialize and deserialize/],
    [{ errors: 'ignore' }, /option "errors": expected "miss" or "throw", got "ignore"/],
    [{ logger: 'console' }, /option "logger": expected a logger/],
    [{ tll: 5 }, /unknown option "tll". The closest valid option is "ttl"/],
  ])('%o', (options, message) => {
    expect(() => createCache({ store: memory(), ...(options as object) })).toThrow(message);
    expect(() => createCache({ store: memory(), ...(options as object) })).toThrow(
      expect.objectContaining({ code: 'CACHALOT_CONFIG' }),
    );
  });

  it('never show a secret', () => {
    const store = redis({ url: 'redis://:hunter2@127.0.0.1:1', prefix: 'x' });
    for (const wrong of [{ store: { ...store, kind: 1 } }, { store, tll: 1 }]) {
      expect(() => createCache(wrong as never)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
      );
    }
  });

  it('put the cache prefix in place of the store', async () => {
    const name = 'prefixed';
    const one = create({ store: memory({ name, prefix: 'a' }), prefix: 'b' });
    const other = create({ store: memory({ name, prefix: 'b' }) });
    await one.set({ key: 'k', value: 1 });
    expect(await other.get('k')).toBe(1);
  });
});

describe('arguments', () => {
  const lone = 'half \ud800';
  const cases: [string, (cache: Cache<unknown>) => unknown, RegExp][] = [
    [
      'no key',
      (c) => c.get(undefined as never),
      /get: key: expected a string, or an object with "key", got nothing/,
    ],
    ['an empty key', (c) => c.get(''), /get: key: expected a non-empty string, got an empty string/],
    ['a number', (c) => c.get({ key: 7 as never }), /get: key: expected a non-empty string, got 7/],
    ['half a character', (c) => c.has(lone), /has: key: expected well-formed Unicode/],
    ['a long key', (c) => c.get('k'.repeat(65_536)), /key: expected at most 65535 bytes/],
    [
      'an unknown option',
      (c) => c.get({ key: 'k', defaultvalue: 1 } as never),
      /get: unknown option "defaultvalue". The closest valid option is "defaultValue"/,
    ],
    ['keys that are none', (c) => c.getMany('k' as never), /getMany: options: expected an object/],
    ['one bad key', (c) => c.getMany(['a', '']), /getMany: key: expected a non-empty string/],
    [
      'no value',
      (c) => c.set({ key: 'k' } as never),
      /value: expected a value that JSON can hold, got undefined/,
    ],
    [
      'a negative ttl',
      (c) => c.set({ key: 'k', value: 1, ttl: -5 }),
      /set: option "ttl": expected milliseconds of 0 or more.*got -5/,
    ],
    ['an endless ttl', (c) => c.set({ key: 'k', value: 1, ttl: Infinity }), /option "ttl".*got Infinity/],
    [
      'a tag that is no string',
      (c) => c.set({ key: 'k', value: 1, tags: [1 as never] }),
      /set: tags: expected an array of strings, got one with 1/,
    ],
    [
      'tags in a string',
      (c) => c.set({ key: 'k', value: 1, tags: 'a' as never }),
      /set: tags: expected an array of strings, got "a"/,
    ],
    ['half a tag', (c) => c.set({ key: 'k', value: 1, tags: [lone] }), /tags: expected well-formed/],
    [
      'a key that is too long with its namespace',
      (c) => c.namespace('n'.repeat(40_000)).get('k'.repeat(30_000)),
      /get: key: expected at most 65535 bytes/,
    ],
    ['no entries', (c) => c.setMany({} as never), /setMany: entries: expected an array, got nothing/],
    [
      'a bad entry',
      (c) =>
        c.setMany([
          { key: 'a', value: 1 },
          { key: '', value: 1 },
        ]),
      /setMany: entries\[1\]: key/,
    ],
    [
      'no factory',
      (c) => c.getOrSet({ key: 'k' } as never),
      /getOrSet: factory: expected a function, got nothing/,
    ],
    [
      'a wrong grace',
      (c) => c.getOrSet({ key: 'k', factory: () => 1, grace: '5' as never }),
      /getOrSet: option "grace"/,
    ],
    [
      'an unknown option of getOrSet',
      (c) => c.getOrSet({ key: 'k', factory: () => 1, tag: [] } as never),
      /unknown option "tag". The closest valid option is "tags"/,
    ],
    ['wrap without a function', (c) => c.wrap('k', '1m', 1 as never), /wrap: fn: expected a function, got 1/],
    ['wrap with a bad ttl', (c) => c.wrap('k', -1, () => 1), /wrap: option "ttl"/],
    [
      'wrapSWR without max',
      (c) => c.wrapSWR('k', 1, undefined as never, () => 1),
      /wrapSWR: max: expected milliseconds/,
    ],
    [
      'no tags',
      (c) => c.deleteByTag({ tags: [] }),
      /deleteByTag: tags: expected an array of one or more strings/,
    ],
    [
      'tags forgotten',
      (c) => c.deleteByTag({} as never),
      /deleteByTag: tags: expected an array of one or more/,
    ],
    ['a tag of null', (c) => c.expireByTag([null as never]), /expireByTag: tags: .*null/],
  ];
  it.each(cases)('%s', async (_, call, message) => {
    const cache = create();
    await cache.set({ key: 'k', value: 'kept' });
    const calling = Promise.resolve().then(() => call(cache));
    await expect(calling).rejects.toThrow(message);
    await expect(calling).rejects.toMatchObject({ code: 'CACHALOT_CONFIG' });
    expect(await cache.get('k')).toBe('kept');
  });

  it('an unknown event', () => {
    expect(() => create().on('hits' as never, () => {})).toThrow(/The closest is "hit"/);
    expect(() => create().on('hit', 7 as never)).toThrow(/on: listener: expected a function, got 7/);
  });
});

describe('JSON', () => {
  const hole: unknown[] = [1];
  hole[2] = 3;
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  it.each([
    ['undefined', undefined, /got undefined/],
    ['a function', () => 1, /got a function/],
    ['a symbol', Symbol('s'), /got a symbol/],
    ['NaN', Number.NaN, /got NaN/],
    ['an infinite number within', { a: { b: [1, Infinity] } }, /got Infinity at a\.b\[1\]/],
    ['a BigInt', { n: 1n }, /BigInt/],
    ['a Map within', [{ m: new Map() }], /got a Map at \[0\]\.m/],
    ['a Set', new Set([1]), /got a Set/],
    ['an error', { e: new Error('x') }, /got an Error at e/],
    ['an expression', /x/, /got a RegExp/],
    ['bytes', { b: new Uint8Array(2) }, /got a Uint8Array at b/],
    ['a Buffer', { rows: [Buffer.from('b')] }, /got a Buffer at rows\[0\]/],
    ['headers', new Headers({ a: 'b' }), /got a Headers/],
    ['parameters of a URL', { q: new URLSearchParams('a=b') }, /got a URLSearchParams at q/],
    ['a form', new FormData(), /got a FormData/],
    ['a Blob', [new Blob(['b'])], /got a Blob at \[0\]/],
    ['a response', { r: new Response('b') }, /got a Response at r/],
    ['a promise', Promise.resolve(1), /got a promise; await it first/],
    ['undefined in an array', [1, undefined], /got undefined at \[1\]/],
    ['a hole', hole, /got undefined at \[1\]/],
    ['a function within', { f() {} }, /got a function at f/],
    ['a circle', circle, /circular/],
  ])('refuses %s and stores nothing', async (_, value, message) => {
    const cache = create();
    await expect(cache.set({ key: 'k', value: value as never })).rejects.toThrow(message);
    expect(await cache.get('k')).toBeUndefined();
  });

  it('takes a BigInt for what the toJSON says that an application gave it', async () => {
    const cache = create();
    Object.defineProperty(BigInt.prototype, 'toJSON', {
      configurable: true,
      value(this: bigint) {
        return this.toString();
      },
    });
    try {
      await cache.set({ key: 'k', value: { n: 12n } as never });
      expect(await cache.get('k')).toEqual({ n: '12' });
    } finally {
      Reflect.deleteProperty(BigInt.prototype, 'toJSON');
    }
  });

  it('leaves out properties that are undefined, and asks toJSON', async () => {
    const cache = create();
    const at = new Date(0);
    class Price {
      constructor(readonly cents: number) {}
    }
    await cache.set({ key: 'k', value: { a: undefined, at, price: new Price(5), none: null } });
    expect(await cache.get('k')).toEqual({ at: at.toISOString(), price: { cents: 5 }, none: null });
    // Not Buffer: it has a toJSON, but nobody wants what that makes of it.
    await expect(cache.set({ key: 'k', value: { b: new Date(Number.NaN), f: Number.NaN } })).rejects.toThrow(
      /NaN at f/,
    );
  });
});

describe('serializers', () => {
  it('structured keeps what JSON cannot', async () => {
    const cache = create({ serializer: 'structured' });
    const value = {
      date: new Date(5),
      map: new Map([[1, new Set(['a'])]]),
      big: 12n,
      bytes: Buffer.from('abc'),
      none: undefined,
      nan: Number.NaN,
    };
    await cache.set({ key: 'k', value });
    const back = (await cache.get('k')) as typeof value;
    expect(back).toEqual(value);
    expect('none' in back).toBe(true);
    expect(Buffer.isBuffer(back.bytes)).toBe(true);
    expect(await cache.getOrSet({ key: 'u', factory: () => undefined })).toBeUndefined();
    let again = 0;
    await cache.getOrSet({ key: 'u', factory: () => ++again });
    expect(again).toBe(0);
    await expect(cache.set({ key: 'f', value: (() => 1) as never })).rejects.toThrow(
      /structured serializer.*could not be cloned/,
    );
  });

  it('may be your own, of text or of bytes', async () => {
    const text = create({
      serializer: { serialize: (value) => `<${value}>`, deserialize: (stored) => `${stored}`.slice(1, -1) },
    });
    await text.set({ key: 'k', value: 'v' });
    expect(await text.get('k')).toBe('v');
    const bytes = create({
      serializer: {
        serialize: (value) => Uint8Array.of(value as number),
        deserialize: (stored) => (stored as Uint8Array)[0],
      },
    });
    expect(await bytes.getOrSet({ key: 'k', factory: () => 9 })).toBe(9);
    expect(await bytes.getMany(['k'])).toEqual([9]);
  });

  it('that answers nonsense is an error of set, and one that throws a miss of get', async () => {
    const wrong = create({ serializer: { serialize: () => 5 as never, deserialize: () => 1 } });
    await expect(wrong.set({ key: 'k', value: 1 })).rejects.toThrow(
      /serializer.serialize: expected it to return a string or a Uint8Array, got 5/,
    );
    const throwing = create({
      serializer: {
        serialize: () => 'x',
        deserialize: () => {
          throw new Error('of another release');
        },
      },
    });
    const errors: string[] = [];
    throwing.on('error', ({ error }) => errors.push(error.code));
    await throwing.set({ key: 'k', value: 1 });
    expect(await throwing.get('k')).toBeUndefined();
    expect(await throwing.getOrSet({ key: 'k', factory: () => 'anew' })).toBe('anew');
    expect(new Set(errors)).toEqual(new Set(['CACHALOT_CORRUPT']));
  });

  it('takes the value of another serializer for a miss', async () => {
    const store = () => memory({ name: 'mixed' });
    const [json, structured] = [
      create({ store: store() }),
      create({ store: store(), serializer: 'structured' }),
    ];
    await structured.set({ key: 'k', value: 1 });
    expect(await json.get('k')).toBeUndefined();
    expect(await json.getOrSet({ key: 'k', factory: () => 'j' })).toBe('j');
    expect(await structured.get('k')).toBeUndefined();
    expect(await structured.getOrSet({ key: 'k', factory: () => 's' })).toBe('s');
  });
});

it('takes more keys in one call than a store has room for at once', async () => {
  const cache = create();
  const keys = Array.from({ length: 100_000 }, (_, at) => `k${at}`);
  expect(await cache.setMany(keys.map((key) => ({ key, value: key })))).toBe(true);
  expect(await cache.getMany(keys)).toEqual(keys);
  expect(await cache.deleteMany(keys)).toBe(true);
  expect((await cache.getMany(keys)).every((value) => value === undefined)).toBe(true);
});

it('describes a store that is not there without waiting for it', async () => {
  const cache = create({ store: memcached({ servers: ['127.0.0.1:1'], commandTimeout: 200 }) });
  expect(await cache.get('k')).toBeUndefined();
});
