// Keyv's adapter over every store, called as Keyv calls it. Keyv itself over it, with its own test suite, cache-manager
// and NestJS, is in test-packages/keyv.

import { Keyv } from 'keyv';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { CachalotKeyv, type CachalotKeyvOptions } from '../js/adapters/keyv/index.js';
import { memcached, memory, redis, type StoreSpec } from '../js/options/config.js';
import type { StoreOptions } from '../js/options/store.js';
import { described, openStore } from '../js/store/open.js';
import { uniquePrefix } from './contract/stores.js';

type Given = Pick<StoreOptions, 'maxValueBytes'>;

const stores: Record<string, (given?: Given) => StoreSpec> = {
  memory: (given) => memory({ name: 'keyv', ...given }),
  redis: (given) => redis({ url: inject('servers').redis.url, ...given }),
  memcached: (given) => memcached({ servers: inject('servers').memcached, ...given }),
};

const HOSTILE = [
  ' ',
  '\r\n',
  '\u0000',
  ':',
  '::',
  '%',
  '%3A',
  '*',
  '?[a-z]*\\',
  '!e',
  '!ns:n',
  'n',
  'n:',
  'n:m:',
  '{slot}',
  '__proto__',
  'ключ 键 🔑',
  'x'.repeat(250),
  'y'.repeat(4000),
];

const open: CachalotKeyv[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((adapter) => adapter.disconnect()));
  prefix = uniquePrefix();
});

describe.each(Object.entries(stores))('on %s', (kind, store) => {
  function adapter(options: Partial<CachalotKeyvOptions> = {}, given?: Given): CachalotKeyv {
    const made = new CachalotKeyv({ store: store(given), prefix, ...options });
    open.push(made);
    return made;
  }

  it('sets, gets, has and deletes', async () => {
    const cache = adapter();
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.set('k', '{"value":1}')).toBe(true);
    expect([await cache.get('k'), await cache.has('k')]).toEqual(['{"value":1}', true]);
    expect([await cache.delete('k'), await cache.delete('k')]).toEqual([true, false]);
    expect([await cache.get('k'), await cache.has('k')]).toEqual([undefined, false]);
  });

  it('answers many in the order of the keys', async () => {
    const cache = adapter();
    const keys = Array.from({ length: 300 }, (_, n) => `k${n}`);
    const entries = keys.filter((_, n) => n % 3 !== 0).map((key) => ({ key, value: `v${key}` }));
    expect(await cache.setMany(entries)).toEqual(entries.map(() => true));
    const asked = [...keys].reverse();
    expect(await cache.getMany(asked)).toEqual(
      asked.map((key) => (Number(key.slice(1)) % 3 === 0 ? undefined : `v${key}`)),
    );
    expect(await cache.hasMany(['k0', 'k1', 'k1', 'k3'])).toEqual([false, true, true, false]);
    expect(await cache.getMany([])).toEqual([]);
    expect(await cache.deleteMany(['k0', 'k1'])).toBe(true);
    expect(await cache.deleteMany(['k0', 'k1'])).toBe(false);
    expect(await cache.getMany(['k1', 'k2'])).toEqual([undefined, 'vk2']);
  });

  it('keeps entries for their ttl: in milliseconds, none at all with 0, for ever without', async () => {
    const cache = adapter();
    await cache.setMany([
      { key: 'short', value: 'v', ttl: 150 },
      { key: 'ever', value: 'v' },
      { key: 'endless', value: 'v', ttl: Infinity },
    ]);
    await cache.set('zero', 'old');
    expect(await cache.set('zero', 'new', 0)).toBe(true);
    expect(await cache.getMany(['short', 'ever', 'endless', 'zero'])).toEqual(['v', 'v', 'v', undefined]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await cache.getMany(['short', 'ever', 'endless', 'zero'])).toEqual([
      undefined,
      'v',
      'v',
      undefined,
    ]);
  });

  it.each([
    ['text', '{"a":1}'],
    ['an empty text', ''],
    ['what Keyv gives without a serializer', { value: new Map([[1, new Date(5)]]), expires: undefined }],
    ['a number', 5],
    ['false', false],
    ['null', null],
    ['bytes', Buffer.from([0, 255, 1])],
    ['no bytes', Buffer.alloc(0)],
  ])('gives back %s', async (_, value) => {
    const cache = adapter();
    expect(await cache.set('k', value)).toBe(true);
    expect(await cache.get('k')).toEqual(value);
    expect(await cache.getMany(['k'])).toEqual([value]);
  });

  it('keeps hostile keys apart, each namespace for itself', async () => {
    const caches = [undefined, 'n', 'n:', 'n:m', '%3A', 'x y\r\n'].map((namespace) =>
      adapter({ useKeyPrefix: false, ...(namespace === undefined ? {} : { namespace }) }),
    );
    const value = (at: number, key: string) => `${at} ${key}`;
    for (const [at, cache] of caches.entries()) {
      const entries = HOSTILE.map((key) => ({ key: `k${key}`, value: value(at, key) }));
      expect(await cache.setMany(entries)).toEqual(entries.map(() => true));
    }
    for (const [at, cache] of caches.entries()) {
      expect(await cache.getMany(HOSTILE.map((key) => `k${key}`))).toEqual(
        HOSTILE.map((key) => value(at, key)),
      );
    }
  });

  it('clears its namespace and nothing beside it', async () => {
    const names = ['a', 'aa', 'a:b', 'a%3Ab', 'b', 'a'.repeat(3), 'a:b:c:d:e:f:g:h:i:j'];
    for (const cleared of names) {
      const caches = names.map((namespace) => adapter({ namespace, useKeyPrefix: false }));
      for (const cache of caches) await cache.set('b:k', 'v');
      await caches[names.indexOf(cleared)]?.clear();
      const left = await Promise.all(caches.map((cache) => cache.has('b:k')));
      expect(left).toEqual(names.map((name) => name !== cleared));
    }
  });

  it('clears everything of its prefix without a namespace, and nothing of another', async () => {
    const [all, one, other] = [
      adapter(),
      adapter({ namespace: 'n' }),
      adapter({ prefix: `${prefix}2`, namespace: 'n' }),
    ];
    for (const cache of [all, one, other]) await cache.set('n:k', 'v');
    await all.set('plain', 'v');
    await all.clear();
    expect([await all.get('n:k'), await all.get('plain'), await one.get('n:k')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await other.get('n:k')).toBe('v');
  });

  it('takes keys with their namespace and without, as one', async () => {
    const prefixed = adapter({ namespace: 'n' });
    await prefixed.set('n:k', 'v');
    expect([await prefixed.get('n:k'), await prefixed.get('k')]).toEqual(['v', 'v']);
    const bare = adapter({ namespace: 'n', useKeyPrefix: false });
    expect([await bare.get('k'), await bare.get('n:k')]).toEqual(['v', undefined]);
    // Keyv 6, which never completes keys, is known by what its constructor does to a store.
    const six = adapter({ namespace: 'n' });
    expect([six.capabilities, six.namespace]).toEqual([undefined, 'n']);
    six.on('error', () => {});
    expect([await six.get('k'), await six.get('n:k')]).toEqual(['v', undefined]);
  });

  it('is not changed by being looked at', async () => {
    const seen = adapter({ namespace: 'n' });
    await seen.set('n:k', 'v');
    expect(seen.capabilities).toBeUndefined();
    expect([await seen.get('n:k'), await seen.get('k')]).toEqual(['v', 'v']);
    // Neither if a Keyv 5 takes it at once.
    expect(seen.capabilities).toBeUndefined();
    const keyv = new Keyv({ store: seen, namespace: 'n' });
    await keyv.set('k', 'of Keyv');
    expect(await seen.has('n:k')).toBe(true);
    expect(await keyv.get('k')).toBe('of Keyv');
    expect(await adapter({ namespace: 'n', useKeyPrefix: false }).has('k')).toBe(true);
  });

  it('serves several Keyv instances of one adapter, whichever told its namespace last', async () => {
    const shared = adapter();
    shared.namespace = 'one';
    await shared.set('one:k', '1');
    shared.namespace = 'two';
    await shared.set('two:k', '2');
    await shared.set('one:late', '3');
    expect(await shared.getMany(['one:k', 'two:k', 'one:late'])).toEqual(['1', '2', '3']);
    await shared.clear();
    expect(await shared.getMany(['one:k', 'two:k', 'one:late'])).toEqual(['1', undefined, '3']);
    const alone = adapter({ namespace: 'one' });
    expect(await alone.getMany(['one:k', 'one:late'])).toEqual(['1', '3']);
    shared.namespace = undefined;
    expect(await shared.getMany(['one:k', 'one:late'])).toEqual(['1', '3']);
  });

  it('with guardSets never serves what was read before a clear and stored after it', async () => {
    const reader = adapter({ namespace: 'n', guardSets: true });
    const clearer = adapter({ namespace: 'n' });
    await reader.set('other', 'v');
    expect(await reader.get('k')).toBeUndefined();
    await clearer.clear();
    const stored = await reader.set('k', 'read before the clear');
    // A server stores it, born invalid.
    expect(stored).toBe(kind !== 'memory');
    expect(await reader.get('k')).toBeUndefined();
    expect(await reader.set('k', 'read after it')).toBe(true);
    expect(await reader.get('k')).toBe('read after it');
  });

  it('stores every set, whatever was read, deleted or cleared before', async () => {
    const cache = adapter({ namespace: 'n' });
    for (const clear of [() => cache.delete('k'), () => cache.clear()]) {
      expect(await cache.get('k')).toBeUndefined();
      await clear();
      expect([await cache.set('k', 'v'), await cache.get('k')]).toEqual([true, 'v']);
      await cache.delete('k');
    }
  });

  it('loses no session that is set while others are deleted a thousand times a second', async () => {
    const [shop, cleaner] = [adapter({ namespace: 'sessions' }), adapter({ namespace: 'sessions' })];
    let ended = false;
    const deleting = (async () => {
      for (let n = 0; !ended; n++) {
        await Promise.all(Array.from({ length: 5 }, (_, at) => cleaner.delete(`other${n}:${at}`)));
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
    })();
    const keys = Array.from({ length: 600 }, (_, n) => `s${n}`);
    for (const key of keys) {
      expect(await shop.get(key)).toBeUndefined();
      await new Promise((resolve) => setImmediate(resolve));
      expect(await shop.set(key, key)).toBe(true);
    }
    ended = true;
    await deleting;
    expect(await shop.getMany(keys)).toEqual(keys);
  });

  it('answers false to a value that is too large, tells of it, and leaves no older one', async () => {
    const cache = adapter({}, { maxValueBytes: 1000 });
    const errors: unknown[] = [];
    cache.on('error', (error) => void errors.push(error));
    await cache.set('k', 'v');
    expect(await cache.set('k', 'v'.repeat(2000))).toBe(false);
    expect(errors).toEqual([expect.objectContaining({ code: 'CACHALOT_TOO_LARGE' })]);
    expect(await cache.get('k')).toBeUndefined();
  });

  it('lists every entry of a namespace with its value, where the store can', async () => {
    const caches = ['n', 'nn', 'n:m'].map((namespace) => adapter({ namespace, useKeyPrefix: false }));
    const entries = Array.from({ length: 2000 }, (_, n) => ({ key: `k:${n}`, value: { n } }));
    for (const cache of caches) await cache.setMany(entries);
    const [one, two, three] = caches as [CachalotKeyv, CachalotKeyv, CachalotKeyv];
    await one.deleteMany(['k:0', 'k:1']);
    await one.set('k:2', 'v', 1);
    await two.clear();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect('iterator' in one).toBe(kind !== 'memcached');
    if (!one.iterator || !three.iterator) {
      return;
    }
    const listed = async (cache: CachalotKeyv, namespace?: string) => {
      const seen = new Map<unknown, unknown>();
      for await (const [key, value] of cache.iterator?.(namespace) ?? []) seen.set(key, value);
      return seen;
    };
    const whole = (start: string, from: number) =>
      new Map(entries.slice(from).map(({ key, value }) => [`${start}${key}`, value]));
    expect(await listed(one, 'n')).toEqual(whole('', 3));
    expect(await listed(two, 'nn')).toEqual(new Map());
    expect(await listed(three, 'n:m')).toEqual(whole('', 0));
    // As Keyv 5 wants its keys; without a namespace they are all listed, by their names.
    expect(await listed(adapter({ namespace: 'n:m' }), 'n:m')).toEqual(whole('n:m:', 0));
    expect((await listed(adapter())).size).toBe(1997 + 2000);
    expect(await one.set('k:0', 'listing is no miss')).toBe(true);
  });

  it('answers undefined to bytes that are no value of its own, and tells of them', async () => {
    const cache = adapter();
    const foreign = openStore(described('test', store(), prefix));
    await foreign.set('k', new Uint8Array([9, 9]), Infinity, [], true);
    await foreign.set('l', new Uint8Array([2, 1, 1]), Infinity, [], true);
    await foreign.close();
    await cache.set('m', 'v');
    const errors: unknown[] = [];
    cache.on('error', (error) => void errors.push(error));
    expect(await cache.getMany(['k', 'l', 'm'])).toEqual([undefined, undefined, 'v']);
    expect(errors).toEqual(Array(2).fill(expect.objectContaining({ code: 'CACHALOT_CORRUPT' })));
    const seen: unknown[] = [];
    for await (const entry of cache.iterator?.() ?? []) seen.push(entry);
    expect(seen).toEqual(kind === 'memcached' ? [] : [['m', 'v']]);
  });

  it('after disconnect answers as in an outage', async () => {
    const cache = adapter();
    await cache.set('k', 'v');
    await cache.disconnect();
    await cache.disconnect();
    const errors: unknown[] = [];
    cache.on('error', (error) => void errors.push(error));
    expect([await cache.get('k'), await cache.set('k', 'v')]).toEqual([undefined, false]);
    expect(errors).toEqual(Array(2).fill(expect.objectContaining({ code: 'CACHALOT_CLOSED' })));
  });

  it('describes itself as Keyv wants it, without secrets', () => {
    const { opts } = adapter();
    expect(opts.url).toMatch(new RegExp(`^${kind}://`));
  });
});
