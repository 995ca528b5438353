// The driver over every store, called as Bentocache calls it. Bentocache itself over it, with its own driver suite, is in
// test-packages/bentocache.

import { afterEach, describe, expect, inject, it } from 'vitest';
import { cachalotDriver, type L2CacheDriver } from '../js/adapters/bentocache/index.js';
import { memcached, memory, redis, type StoreSpec } from '../js/options/config.js';
import { ConfigError } from '../js/shared/errors.js';
import { uniquePrefix } from './contract/stores.js';

const stores: Record<string, (prefix: string) => StoreSpec> = {
  memory: (prefix) => memory({ name: 'bentocache', prefix }),
  redis: (prefix) => redis({ url: inject('servers').redis.url, prefix }),
  memcached: (prefix) => memcached({ servers: inject('servers').memcached, prefix }),
};

const HOSTILE = [
  ' ',
  '\r\n',
  '\u0000',
  ':',
  '::',
  ':k',
  'k:',
  '%',
  '%3A',
  '*',
  '?[a-z]*\\',
  '!e',
  '!ns:users',
  'users',
  'users:',
  'users:posts:',
  '___bc:t:products',
  '{slot}',
  '__proto__',
  'ключ 键 🔑',
  ':'.repeat(40),
  'x'.repeat(250),
  'y'.repeat(4000),
];

const open: L2CacheDriver[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((driver) => driver.disconnect()));
  prefix = uniquePrefix();
});

describe.each(Object.entries(stores))('on %s', (_kind, store) => {
  /** As Bentocache makes one: its own settings, and the result's options over them. */
  function driver(
    named: string | undefined = 'bentocache',
    result = cachalotDriver({ store: store(prefix) }),
  ) {
    const made = result.factory({ prefix: named, ...result.options });
    open.push(made);
    return made;
  }

  it('gives back text as it came', async () => {
    const cache = driver();
    for (const value of ['', '{"value":1}', 'null', 'no JSON', '\u0000', 'Zürich 🐋', 'x'.repeat(100_000)]) {
      expect(await cache.set('k', value)).toBe(true);
      expect(await cache.get('k')).toBe(value);
    }
  });

  it('keeps entries for their ttl: for ever without one and with 0, not at all with a negative one', async () => {
    const cache = driver();
    await cache.set('short', 'v', 150);
    await cache.set('fraction', 'v', 150.4);
    await cache.set('ever', 'v');
    await cache.set('zero', 'v', 0);
    await cache.set('endless', 'v', Infinity);
    await cache.set('negative', 'old');
    expect(await cache.set('negative', 'new', -1)).toBe(false);
    const all = () =>
      Promise.all(['short', 'fraction', 'ever', 'zero', 'endless', 'negative'].map((key) => cache.get(key)));
    expect(await all()).toEqual(['v', 'v', 'v', 'v', 'v', undefined]);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await all()).toEqual([undefined, undefined, 'v', 'v', 'v', undefined]);
  });

  it('says whether a delete removed something, and deletes many', async () => {
    const cache = driver();
    await cache.set('a', '1');
    await cache.set('b', '2');
    await cache.set('c', '3');
    expect([await cache.delete('a'), await cache.delete('a')]).toEqual([true, false]);
    expect(await cache.deleteMany(['b', 'none'])).toBe(true);
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([
      undefined,
      undefined,
      '3',
    ]);
  });

  it('keeps hostile keys apart, in every namespace', async () => {
    const root = driver();
    const caches = [
      root,
      root.namespace('users'),
      root.namespace('%3A'),
      root.namespace('x y\r\n').namespace('*'),
    ];
    for (const [at, cache] of caches.entries()) {
      for (const key of HOSTILE) expect(await cache.set(key, `${at} ${key}`)).toBe(true);
    }
    for (const [at, cache] of caches.entries()) {
      for (const key of HOSTILE) {
        // `users` and a key in it is the root's `users:key`: the later write is of the namespace.
        const reached = at === 0 && key.startsWith('users:') && HOSTILE.includes(key.slice('users:'.length));
        expect(await cache.get(key)).toBe(reached ? `1 ${key.slice('users:'.length)}` : `${at} ${key}`);
      }
    }
    for (const key of HOSTILE) expect(await caches[3]?.delete(key)).toBe(true);
    for (const key of HOSTILE) expect(await caches[2]?.get(key)).toBe(`2 ${key}`);
  });

  it('clears a namespace with all under it, whoever wrote it, and nothing beside it', async () => {
    const [one, other] = [driver(), driver()];
    const under = ['users:k', 'users:posts:k', 'users::k', 'users:a:b:c:d:e:f:g:h:i:j:k'];
    const beside = [
      'users',
      'users2:k',
      'user:k',
      'user',
      ' users:k',
      'posts:users:k',
      'Users:k',
      ':users:k',
    ];
    for (const key of [...under, ...beside]) await one.set(key, key);
    await one.namespace('users').set('own', 'v');
    await other.namespace('users').clear();
    for (const key of [...under, 'users:own']) expect(await one.get(key)).toBeUndefined();
    for (const key of beside) expect(await one.get(key)).toBe(key);
  });

  it('clears a nested namespace, and one named with a colon is the same', async () => {
    const cache = driver();
    await cache.namespace('a').namespace('b').set('k', '1');
    expect(await cache.namespace('a:b').get('k')).toBe('1');
    await cache.namespace('a').set('k', '2');
    await cache.namespace('a:b').clear();
    expect(await cache.namespace('a').namespace('b').get('k')).toBeUndefined();
    expect(await cache.namespace('a').get('k')).toBe('2');
    await cache.namespace('a').clear();
    expect(await cache.namespace('a').get('k')).toBeUndefined();
  });

  it('two drivers on one prefix are one cache', async () => {
    const [one, other] = [driver(), driver()];
    await one.set('k', '1');
    expect(await other.get('k')).toBe('1');
    await other.clear();
    expect(await one.get('k')).toBeUndefined();
  });

  it("drivers with other prefixes are others', and an own prefix takes the place of Bentocache's", async () => {
    const own = cachalotDriver({ store: store(prefix), prefix: 'own' });
    const caches = [driver('one'), driver('one:two'), driver(''), driver('bentocache', own)];
    for (const [at, cache] of caches.entries()) await cache.set('k', String(at));
    expect(await driver('own').get('k')).toBe('3');
    await caches[0]?.clear();
    const left = await Promise.all(caches.map((cache) => cache.get('k')));
    expect(left).toEqual([undefined, '1', '2', '3']);
    await caches[2]?.clear();
    expect(await caches[3]?.get('k')).toBe('3');
  });

  it('a set after a miss and a clear is stored: nothing says that its value is older', async () => {
    const cache = driver();
    expect(await cache.get('k')).toBeUndefined();
    await cache.delete('k');
    await cache.clear();
    expect(await cache.set('k', 'v')).toBe(true);
    expect(await cache.get('k')).toBe('v');
  });

  it('namespaces share one store, closed by disconnect', async () => {
    const cache = driver();
    const users = cache.namespace('users');
    await users.set('k', 'v');
    await cache.disconnect();
    await cache.disconnect();
    const closed = expect.objectContaining({ code: 'CACHALOT_CLOSED' });
    await expect(cache.get('k')).rejects.toEqual(closed);
    await expect(users.get('k')).rejects.toEqual(closed);
    await expect(cache.set('k', 'v')).rejects.toEqual(closed);
    await expect(cache.clear()).rejects.toEqual(closed);
  });

  it('two made of one result share the store until both are done with it', async () => {
    const result = cachalotDriver({ store: store(prefix) });
    const [one, other] = [driver('p', result), driver('p', result)];
    await one.set('k', 'v');
    await one.disconnect();
    await one.disconnect();
    expect(await other.get('k')).toBe('v');
    await other.disconnect();
    await expect(other.get('k')).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
    const again = driver('p', result);
    expect(await again.set('k', 'v')).toBe(true);
  });

  it.each([
    ['get', [''], /key: expected a non-empty string, got an empty string/],
    ['get', [5], /key: expected a non-empty string, got 5/],
    ['get', ['\ud800'], /key: expected well-formed Unicode, got a lone surrogate/],
    ['set', ['', 'v'], /key: expected a non-empty string/],
    ['set', ['k', 5], /value: expected a string or a Uint8Array, got number/],
    ['set', ['k', undefined], /value: expected a string or a Uint8Array, got undefined/],
    ['set', ['k', 'v', '5m'], /ttl: expected a number of milliseconds, got "5m"/],
    ['set', ['k', 'v', NaN], /ttl: expected a number of milliseconds, got NaN/],
    ['delete', [null], /key: expected a non-empty string, got null/],
    ['deleteMany', [['k', '']], /key: expected a non-empty string, got an empty string/],
    ['deleteMany', ['k'], /keys: expected an array of strings, got "k"/],
    ['pull', [{}], /key: expected a non-empty string, got an object/],
  ])('%s(%j) is refused, and nothing was done', async (method, args, message) => {
    const cache = driver();
    await cache.set('k', 'before');
    const call = (cache as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>)[method];
    const error = await call?.call(cache, ...args).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
    expect(await cache.get('k')).toBe('before');
  });
});

describe('options', () => {
  it.each([
    [undefined, /cachalotDriver\(\): expected an object of options, got nothing/],
    [{}, /option "store": expected redis\(\{ url \}\).*got nothing/],
    [{ store: 'redis://127.0.0.1' }, /option "store": expected redis\(.*got a string/],
    [{ store: { url: 'redis://127.0.0.1' } }, /option "store": expected redis\(.*got an object/],
    [
      { store: memory(), connection: {} },
      /"connection". It is called "store" here: store: redis\(\{ url \}\)/,
    ],
    [{ store: memory(), prefix: 5 }, /option "prefix": expected a non-empty string, got 5/],
    [{ store: memory(), prefix: '' }, /option "prefix": expected a non-empty string, got an empty string/],
    [
      { store: memory(), prefix: 'p'.repeat(200) },
      /option "prefix": expected at most 128 bytes, got 200 bytes/,
    ],
  ])('%j is refused', (options, message) => {
    const make = () => cachalotDriver(options as never);
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });

  it('no secret of the store is in what Bentocache gets to see', () => {
    const store = redis({ url: 'redis://user:hunter2@127.0.0.1:1' });
    const result = cachalotDriver({ store, prefix: 'p' });
    expect(result.options).toEqual({ prefix: 'p' });
  });

  it("a prefix of Bentocache's that is none, or too long with the store's, is refused", () => {
    const result = cachalotDriver({ store: memory({ prefix: 'p'.repeat(100) }) });
    expect(() => result.factory({ prefix: 5 })).toThrow(
      /option "prefix": expected a non-empty string, got 5/,
    );
    expect(() => result.factory({ prefix: 'q'.repeat(100) })).toThrow(/expected at most 128 bytes/);
  });

  it.each([
    ['', /namespace: expected a non-empty string of well-formed text, got an empty string/],
    [5, /namespace: expected a non-empty string of well-formed text, got 5/],
    ['1:2:3:4:5:6:7:8:9', /namespace: expected at most 8 levels, got 9/],
  ])('the namespace %j is refused', (name, message) => {
    const cache = cachalotDriver({ store: memory() }).factory({});
    open.push(cache);
    expect(() => cache.namespace(name as string)).toThrow(ConfigError);
    expect(() => cache.namespace(name as string)).toThrow(message);
  });
});
