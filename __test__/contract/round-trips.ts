// How often a read waits for the server: seen through a wire on which each round trip takes 120 ms.

import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { proxy, type Proxy as Wire } from '../support/proxy.js';
import {
  memcachedStore,
  type OpenOptions,
  type Provider,
  redisStore,
  type StoreUnderTest,
  uniquePrefix,
} from './stores.js';

const ONE_WAY = 60;

export function roundTrips(store: StoreUnderTest): void {
  const tracking = store.name === 'redis with tracking';
  // What is left of the last one's time belongs to the work itself.
  const allowed = tracking ? 1 : 2;
  let wire: Wire;
  let cache: Provider;

  function through(port: number, options: OpenOptions): Provider {
    const near =
      store.kind === 'redis'
        ? redisStore('', `redis://127.0.0.1:${port}`, port, tracking)
        : memcachedStore('', [`127.0.0.1:${port}`]);
    return near.open(options);
  }

  beforeEach(async () => {
    const { redis, memcached } = inject('servers');
    wire = await proxy(store.kind === 'redis' ? redis.port : Number(memcached[0]?.split(':')[1]));
    cache = through(wire.port, { prefix: uniquePrefix() });
  });
  afterEach(async () => {
    wire.pass();
    await cache.close();
    await wire.stop();
  });

  async function trips(work: () => Promise<void>): Promise<number> {
    wire.delay(ONE_WAY);
    const started = performance.now();
    await work();
    const ms = performance.now() - started;
    wire.pass();
    return Math.floor(ms / (2 * ONE_WAY));
  }

  test(`a hit with 20 tags takes ${allowed} round trip${allowed > 1 ? 's' : ''} (the tutorial: four and more; Bentocache: tags one at a time)`, async () => {
    const tags = Array.from({ length: 20 }, (_, n) => `t${n}`);
    await cache.set({ key: 'k', data: 1, tags });
    expect(await cache.get({ key: 'k' })).toBe(1);
    const taken = await trips(async () => expect(await cache.get({ key: 'k' })).toBe(1));
    expect(taken).toBeLessThanOrEqual(allowed);
    expect(taken).toBeGreaterThanOrEqual(1);
  });

  test(`a hundred reads of one turn take no more`, async () => {
    const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
    await Promise.all(keys.map((key) => cache.set({ key, data: key, tags: [`t${key}`, 'all'] })));
    expect(await Promise.all(keys.map((key) => cache.get({ key })))).toEqual(keys);
    const taken = await trips(async () => {
      expect(await Promise.all(keys.map((key) => cache.get({ key })))).toEqual(keys);
    });
    expect(taken).toBeLessThanOrEqual(allowed);
  });

  test('a miss takes one', async () => {
    await cache.get({ key: 'nothing' });
    expect(await trips(async () => expect(await cache.get({ key: 'k' })).toBeNull())).toBe(1);
  });
}
