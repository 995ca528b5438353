// cache-manager over Keyv over the adapter, on every store.

import { setTimeout as sleep } from 'node:timers/promises';
import { CachalotKeyv, createKeyv } from 'cachalot/keyv';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { afterEach, describe, expect, it } from 'vitest';
import { STORES, uniquePrefix } from '../support/stores.mjs';

const ways = {
  createKeyv: (store, prefix, namespace) => createKeyv({ store, prefix, namespace }),
  'new Keyv': (store, prefix, namespace) =>
    new Keyv({ store: new CachalotKeyv({ store, prefix }), namespace }),
};

const cases = Object.entries(STORES).flatMap(([kind, store]) =>
  Object.entries(ways).map(([way, make]) => ({ kind, store, way, make })),
);

describe.each(cases)('on $kind, made by $way', ({ store, make }) => {
  const open = [];
  let prefix = uniquePrefix();
  afterEach(async () => {
    await Promise.all(open.splice(0).map((cache) => cache.disconnect()));
    prefix = uniquePrefix();
  });
  const cacheOf = (options, namespace = 'n') => {
    const cache = createCache({ stores: [make(store(), prefix, namespace)], ...options });
    open.push(cache);
    return cache;
  };

  it('wraps: computes once, for as long as the ttl', async () => {
    const cache = cacheOf({ ttl: 60_000 });
    let runs = 0;
    const product = () => cache.wrap('product', async () => ({ run: ++runs }), 300);
    // Callers at the same time share one run.
    expect(await Promise.all([product(), product(), product()])).toEqual(Array(3).fill({ run: 1 }));
    expect(await product()).toEqual({ run: 1 });
    // Another process's.
    expect(await cacheOf().get('product')).toEqual({ run: 1 });
    await sleep(350);
    expect(await product()).toEqual({ run: 2 });
  });

  it('a wrap whose function throws stores nothing', async () => {
    const cache = cacheOf();
    const fail = () => cache.wrap('k', async () => Promise.reject(new Error('no database')));
    await expect(fail()).rejects.toThrow('no database');
    expect(await cache.wrap('k', async () => 1)).toBe(1);
    expect(await cache.get('k')).toBe(1);
  });

  it('refreshes behind a hit that is near its end', async () => {
    const cache = cacheOf();
    let runs = 0;
    const product = () => cache.wrap('product', async () => ++runs, 2_000, 1_800);
    expect([await product(), await product()]).toEqual([1, 1]);
    await sleep(300);
    expect(await product()).toBe(1);
    await expect.poll(() => cache.get('product'), { timeout: 5_000 }).toBe(2);
    expect(runs).toBe(2);
    expect((await cache.ttl('product')) - Date.now()).toBeGreaterThan(1_000);
  });

  it('sets, gets and deletes one and many', async () => {
    const cache = cacheOf();
    await cache.mset([
      { key: 'a', value: 1 },
      { key: 'b', value: { deep: [2] } },
      { key: 'short', value: 3, ttl: 100 },
    ]);
    expect(await cache.mget(['b', 'none', 'a', 'short'])).toEqual([{ deep: [2] }, undefined, 1, 3]);
    await sleep(150);
    expect(await cache.mget(['short', 'a'])).toEqual([undefined, 1]);
    await cache.del('a');
    expect(await cache.get('a')).toBeUndefined();
    await cache.mset([{ key: 'c', value: 3 }]);
    await cache.mdel(['b', 'c']);
    expect(await cache.mget(['b', 'c'])).toEqual([undefined, undefined]);
  });

  it('clears its namespace alone', async () => {
    const [one, two] = [cacheOf(), cacheOf({}, 'nn')];
    await Promise.all([one.set('k', 1), two.set('k', 2)]);
    await one.clear();
    expect([await one.get('k'), await two.get('k')]).toEqual([undefined, 2]);
  });

  it('goes on computing while its store is gone', async () => {
    const cache = cacheOf();
    await cache.set('k', 1);
    await cache.disconnect();
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.wrap('k', async () => 'computed')).toBe('computed');
  });
});

describe('two stores', () => {
  it('a hit of the second fills the first', async () => {
    const prefix = uniquePrefix();
    const near = createKeyv({ store: STORES.memory(), prefix });
    const far = createKeyv({ store: STORES.redis(), prefix });
    const cache = createCache({ stores: [near, far], ttl: 60_000 });
    await far.set('k', { from: 'far' }, 60_000);
    expect(await cache.wrap('k', async () => 'computed')).toEqual({ from: 'far' });
    expect(await near.get('k')).toEqual({ from: 'far' });
    await cache.clear();
    expect([await near.get('k'), await far.get('k')]).toEqual([undefined, undefined]);
    await cache.disconnect();
  });
});
