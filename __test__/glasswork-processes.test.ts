// CacheService among clients of one store: each with a connection of its own, in this process and in others.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { CacheService, type CacheStore } from '../js/adapters/glasswork/index.js';
import { uniquePrefix } from './contract/stores.js';
import { ownStores } from './glasswork/stores.js';
import { type NodeChild, startNode } from './support/processes.js';

const over = (store: CacheStore) => new CacheService(store, { defaultTTL: 300, logger: {} });

for (const { name, open } of ownStores()) {
  describe(`${name}, two clients`, () => {
    it('makes a value once for two services with a connection each', async () => {
      const caches = [over(open()), over(open())];
      let made = 0;
      const fetch = async () => {
        made++;
        await sleep(50);
        return made;
      };
      const asked = Array.from({ length: 10 }, (_, n) => caches[n % 2]?.wrap('k', 60, fetch));
      expect(await Promise.all(asked)).toEqual(Array.from({ length: 10 }, () => 1));
      await sleep(120);
      await Promise.all(caches.map((cache) => cache.wrapSWR('k', 0.1, 60, fetch)));
      await expect.poll(() => caches[0]?.get('k')).toBe(2);
      expect(made).toBe(2);
    });

    it('stores a set that follows a miss and a clear, also after getWithMetadata', async () => {
      const [cache, other] = [over(open()), over(open())];
      expect(await cache.get('user:1')).toBeUndefined();
      expect(await cache.getWithMetadata('user:2')).toBeUndefined();
      await other.delByPattern('user:*');
      await Promise.all([cache.set('user:1', 'one'), cache.set('user:2', 'two')]);
      expect([await cache.get('user:1'), await cache.get('user:2')]).toEqual(['one', 'two']);
    });
  });
}

const children: NodeChild[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

const { redis, memcached } = inject('servers');

describe.each([
  { kind: 'redis', options: { url: redis.url } },
  { kind: 'memcached', options: { servers: memcached } },
])('$kind, 4 processes of 50 calls each', (place) => {
  it('makes a cold value once, and a stale one once more', async () => {
    const config = JSON.stringify({ ...place, prefix: uniquePrefix() });
    const file = fileURLToPath(new URL('./glasswork/caller.mjs', import.meta.url));
    const callers = [1, 2, 3, 4].map(() => startNode(file, { args: [config], timeoutMs: 60_000 }));
    children.push(...callers);
    await Promise.all(callers.map((child) => child.next()));
    const all = async (method: string) => {
      for (const child of callers) child.send({ method, key: 'cold', calls: 50 });
      const said = await Promise.all(
        callers.map((child) => child.next<{ runs: number; values: number[] }>()),
      );
      return {
        runs: said.reduce((sum, { runs }) => sum + runs, 0),
        values: new Set(said.flatMap(({ values }) => values)).size,
      };
    };
    expect(await all('wrap')).toEqual({ runs: 1, values: 1 });
    expect(await all('wrap')).toEqual({ runs: 1, values: 1 });
    await sleep(1_100);
    await all('wrapSWR');
    // The refresh is behind those calls.
    await expect.poll(async () => (await all('wrap')).runs, { timeout: 5_000 }).toBe(2);
    await sleep(300);
    expect((await all('wrap')).runs).toBe(2);
    for (const child of callers) child.send({ method: 'end' });
    expect(await Promise.all(callers.map((child) => child.done))).toMatchObject(
      callers.map(() => ({ code: 0 })),
    );
  });
});
