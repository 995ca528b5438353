// Keyv 5 and 6 over the adapter, on every store: what its own suite does not ask.

import { setTimeout as sleep } from 'node:timers/promises';
import { CachalotKeyv, createKeyv } from 'cachalot/keyv';
import Keyv from 'keyv';
import { Keyv as Keyv6 } from 'keyv-6';
import { afterEach, describe, expect, it } from 'vitest';
import { STORES, uniquePrefix } from '../support/stores.mjs';

const VERSIONS = { 'Keyv 5': Keyv, 'Keyv 6': Keyv6 };

const HOSTILE = [
  ...[' ', '\r\n', '\0', 'n', ':', '::', '%', '%3A', '*', '?[a-z]*\\', '!e', '!ns:n', '{slot}'],
  ...['__proto__', 'ключ 键 🔑', 'x'.repeat(250), 'y'.repeat(4000)],
];

const cases = Object.entries(VERSIONS).flatMap(([version, Tested]) =>
  Object.entries(STORES).map(([kind, store]) => ({ version, Tested, kind, store })),
);

describe.each(cases)('$version on $kind', ({ version, Tested, kind, store }) => {
  const open = [];
  let prefix = uniquePrefix();
  afterEach(async () => {
    await Promise.all(open.splice(0).map((adapter) => adapter.disconnect()));
    prefix = uniquePrefix();
  });

  const adapter = (options = {}) => {
    const made = new CachalotKeyv({ store: store(), prefix, ...options });
    open.push(made);
    return made;
  };
  /** A Keyv with an adapter of its own, as an application makes it. */
  const keyv = (options = {}) => {
    const made = new Tested({ store: adapter(), ...options });
    made.on('error', () => {});
    return made;
  };

  it('keeps namespaces apart, also those that begin alike', async () => {
    const names = ['a', 'aa', 'a:b', 'a:b:c', 'b', 'a%3Ab', 'x'.repeat(300)];
    const all = names.map((namespace) => keyv({ namespace }));
    for (const cleared of names) {
      for (const [n, one] of all.entries()) await one.set('k', { n });
      expect(await Promise.all(all.map((one) => one.get('k')))).toEqual(names.map((_, n) => ({ n })));
      await all[names.indexOf(cleared)].clear();
      expect(await Promise.all(all.map((one) => one.get('k')))).toEqual(
        names.map((name, n) => (name === cleared ? undefined : { n })),
      );
    }
  });

  it('serves two Keyv instances of one namespace as one cache', async () => {
    const [one, two] = [keyv({ namespace: 'n' }), keyv({ namespace: 'n' })];
    await one.set('k', 1);
    expect(await two.get('k')).toBe(1);
    await two.set('k', 2);
    expect(await one.get('k')).toBe(2);
    expect(await one.delete('k')).toBe(true);
    expect([await two.has('k'), await two.get('k')]).toEqual([false, undefined]);
    await one.set('k', 3);
    await two.clear();
    expect(await one.get('k')).toBeUndefined();
  });

  it('answers many in the order of the keys', async () => {
    const cache = keyv({ namespace: 'n' });
    const keys = Array.from({ length: 200 }, (_, n) => `k${n}`);
    const entries = keys.filter((_, n) => n % 2).map((key) => ({ key, value: { key } }));
    expect(await cache.setMany(entries)).toEqual(entries.map(() => true));
    expect(await cache.get([...keys].reverse())).toEqual(
      [...keys].reverse().map((key) => (Number(key.slice(1)) % 2 ? { key } : undefined)),
    );
    expect(await cache.hasMany(['k1', 'k2', 'k3'])).toEqual([true, false, true]);
    const deleted = await cache.deleteMany(['k1', 'none']);
    const none = await cache.deleteMany(['none', 'nor this']);
    if (version === 'Keyv 6') {
      expect([deleted, none]).toEqual([
        [true, true],
        [false, false],
      ]);
    } else {
      expect([deleted, none]).toEqual([true, false]);
    }
    expect(await cache.get('k1')).toBeUndefined();
  });

  it('keeps entries for their ttl, its own or that of the Keyv; 0 means for ever to Keyv', async () => {
    const cache = keyv({ namespace: 'n', ttl: 60_000 });
    await cache.set('short', 1, 150);
    await cache.set('default', 1);
    await cache.setMany([
      { key: 'short too', value: 1, ttl: 150 },
      { key: 'ever', value: 1, ttl: 0 },
    ]);
    const keys = ['short', 'short too', 'default', 'ever'];
    expect(await cache.get(keys)).toEqual([1, 1, 1, 1]);
    const [short, ever] = [await cache.getRaw('default'), await cache.getRaw('ever')];
    expect(short.expires - Date.now()).toBeGreaterThan(50_000);
    expect(ever.expires).toBeUndefined();
    await sleep(200);
    expect(await cache.get(keys)).toEqual([undefined, undefined, 1, 1]);
    expect(await cache.store.has(version === 'Keyv 6' ? 'short' : 'n:short')).toBe(false);
  });

  it('keeps hostile keys apart', async () => {
    const cache = keyv({ namespace: 'n' });
    for (const key of HOSTILE) expect(await cache.set(key, { key })).toBe(true);
    for (const key of HOSTILE) expect(await cache.get(key)).toEqual({ key });
    expect(await cache.get(HOSTILE)).toEqual(HOSTILE.map((key) => ({ key })));
  });

  it('gives back values as its serializer does', async () => {
    const cache = keyv({ namespace: 'n' });
    const values = [0, '', false, null, [], { a: [{ b: 1 }] }, 'text', ':colon', Buffer.from([0, 255])];
    for (const value of values) {
      await cache.set('k', value);
      expect(await cache.get('k')).toEqual(value);
    }
  });

  it('gives back values as they are without a serializer', async () => {
    const none =
      version === 'Keyv 6' ? { serialization: false } : { serialize: undefined, deserialize: undefined };
    const cache = keyv({ namespace: 'n', ...none });
    const value = { date: new Date(5), map: new Map([[1, new Set([2n])]]), bytes: Buffer.from([1]) };
    await cache.set('k', value);
    expect(await cache.get('k')).toEqual(value);
    expect(await cache.get(['none', 'k'])).toEqual([undefined, value]);
  });

  it('keeps what a compression of its own makes', async () => {
    const compression = {
      compress: async (value) => Buffer.from(JSON.stringify(value)).toString('base64'),
      decompress: async (value) => JSON.parse(Buffer.from(value, 'base64').toString()),
      serialize: JSON.stringify,
      deserialize: JSON.parse,
    };
    const cache = keyv({ namespace: 'n', compression });
    await cache.set('k', 'v'.repeat(100));
    expect(await cache.get('k')).toBe('v'.repeat(100));
  });

  it('has an iterator where the store can list its keys', async () => {
    const cache = keyv({ namespace: 'n' });
    const beside = keyv({ namespace: 'nn' });
    expect('iterator' in adapter()).toBe(kind !== 'memcached');
    if (kind === 'memcached') {
      if (version === 'Keyv 5') expect(cache.iterator).toBeUndefined();
      return;
    }
    const values = new Map(Array.from({ length: 5000 }, (_, n) => [`k:${n}`, n]));
    await cache.setMany([...values].map(([key, value]) => ({ key, value })));
    await beside.set('k', 'beside');
    await cache.set('short', 1, 1);
    await sleep(20);
    const seen = new Map();
    for await (const [key, value] of cache.iterator()) seen.set(key, value);
    expect(seen).toEqual(values);
  });

  it('answers undefined and false when the adapter is gone, with error events', async () => {
    const errors = [];
    const cache = keyv({ namespace: 'n' });
    cache.on('error', (error) => void errors.push(error));
    await cache.set('k', 1);
    await cache.disconnect();
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.get(['k', 'l'])).toEqual([undefined, undefined]);
    expect(await cache.set('k', 1)).toBe(false);
    expect(await cache.setMany([{ key: 'k', value: 1 }])).toEqual([false]);
    expect(await cache.delete('k')).toBe(false);
    expect(await cache.has('k')).toBe(false);
    expect(await cache.hasMany(['k'])).toEqual([false]);
    expect(await cache.clear()).toBeUndefined();
    expect(errors).toEqual(Array(8).fill(expect.objectContaining({ code: 'CACHALOT_CLOSED' })));
  });

  it('tells of a key that no store could take', async () => {
    const errors = [];
    const cache = keyv({ namespace: 'n' });
    cache.on('error', (error) => void errors.push(error));
    const key = 'x'.repeat(65_536);
    expect(await cache.get(key)).toBeUndefined();
    expect(await cache.set(key, 1)).toBe(false);
    expect(errors.length).toBeGreaterThanOrEqual(2);
    for (const error of errors)
      expect(error.message).toMatch(/CachalotKeyv: key: expected at most 65535 bytes/);
  });
});

describe.each(Object.entries(STORES))('createKeyv on %s', (kind, store) => {
  it('keeps every key within its namespace, whatever it begins with', async () => {
    const prefix = uniquePrefix();
    const [one, plain] = [
      createKeyv({ store: store(), prefix, namespace: 'a:b', ttl: 60_000 }),
      createKeyv({ store: store(), prefix }),
    ];
    for (const key of ['k', 'a:b:k', 'a:b']) await one.set(key, key);
    await plain.set('k', 'plain');
    expect(await one.get(['k', 'a:b:k', 'a:b'])).toEqual(['k', 'a:b:k', 'a:b']);
    expect((await one.getRaw('k')).expires).toBeGreaterThan(Date.now());
    if (kind !== 'memcached') {
      const seen = [];
      for await (const [key] of one.iterator()) seen.push(key);
      expect(seen.sort()).toEqual(['a:b', 'a:b:k', 'k']);
    }
    await one.clear();
    expect([await one.get('k'), await plain.get('k')]).toEqual([undefined, 'plain']);
    await plain.clear();
    expect(await plain.get('k')).toBeUndefined();
    await Promise.all([one.disconnect(), plain.disconnect()]);
  });
});
