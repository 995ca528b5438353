// Whether the server answers, and what closing ends.

import { afterEach, describe, expect, inject, it } from 'vitest';
import { MemoryCachingProvider } from '../../js/adapters/medusa/index.js';
import {
  type Cache,
  type CacheOptions,
  createCache,
  memcached,
  memory,
  redis,
  type StoreSpec,
} from '../../js/index.js';
import { uniquePrefix } from '../contract/stores.js';
import { proxy } from '../support/proxy.js';

const open: Cache<unknown>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()));
});

function create(store: StoreSpec, options: Partial<CacheOptions> = {}): Cache<unknown> {
  const cache = createCache({ store, prefix: uniquePrefix(), logger: {}, ...options });
  open.push(cache);
  return cache;
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => error.code,
  );

const stores: Record<string, (port: number) => StoreSpec> = {
  redis: (port) => redis({ url: `redis://127.0.0.1:${port}`, commandTimeout: 200, connectTimeout: 200 }),
  memcached: (port) =>
    memcached({ servers: [`127.0.0.1:${port}`], commandTimeout: 200, connectTimeout: 200 }),
};

const ports = () => ({
  redis: inject('servers').redis.port,
  memcached: Number(inject('servers').memcached[0]?.split(':')[1]),
});

describe.each(['redis', 'memcached'] as const)('on %s', (kind) => {
  it.each([false, true])(
    'ping resolves when the server answered, and rejects when it did not (l1: %s)',
    async (l1) => {
      const wire = await proxy(ports()[kind]);
      const cache = create((stores[kind] as never as (port: number) => StoreSpec)(wire.port), { l1 });
      expect(await cache.ping()).toBeUndefined();
      await cache.set({ key: 'k', value: 1 });
      const before = cache.stats();
      expect(await cache.namespace('n').ping()).toBeUndefined();
      expect(cache.stats()).toMatchObject({ hits: before.hits, misses: before.misses });
      wire.blackHole();
      expect(await code(cache.ping())).toBe('CACHALOT_TIMEOUT');
      await wire.refuse();
      expect(['CACHALOT_CONNECTION', 'CACHALOT_TIMEOUT']).toContain(await code(cache.ping()));
      expect(Object.keys(cache.stats().errors)).toContain('CACHALOT_TIMEOUT');
      wire.pass();
      await wire.accept();
      await cache.ready();
      expect(await cache.ping()).toBeUndefined();
    },
  );

  it('ready waits for a server that is not there yet, and no longer than it is told', async () => {
    const wire = await proxy(ports()[kind]);
    await wire.refuse();
    const cache = create((stores[kind] as never as (port: number) => StoreSpec)(wire.port));
    const began = performance.now();
    expect(await code(cache.ready({ timeout: 400 }))).toBe('CACHALOT_CONNECTION');
    expect(performance.now() - began).toBeGreaterThan(350);
    expect(performance.now() - began).toBeLessThan(2000);
    const ready = cache.ready({ timeout: '20s' });
    await wire.accept();
    expect(await ready).toBeUndefined();
    expect(await cache.ready()).toBeUndefined();
  });
});

it('ready keeps the reason, and ends when the cache is closed', async () => {
  const { url } = inject('servers').redis;
  const cache = create(redis({ url, username: 'nobody', password: 'wrong' }));
  await expect(cache.ready({ timeout: 200 })).rejects.toThrow(/WRONGPASS/);
  const waiting = code(cache.ready({ timeout: '20s' }));
  await cache.close();
  const began = performance.now();
  expect(await waiting).toBe('CACHALOT_CLOSED');
  expect(performance.now() - began).toBeLessThan(2000);
  await expect(cache.ready({ timeout: 'soon' as never })).rejects.toThrow(
    /ready: timeout: expected milliseconds/,
  );
  await expect(cache.ready({ ttl: 1 } as never)).rejects.toThrow(/ready: unknown option "ttl"/);
});

it('memory is always there, until it is closed', async () => {
  const cache = create(memory());
  expect(await cache.ping()).toBeUndefined();
  expect(await cache.ready()).toBeUndefined();
  await cache.close();
  expect(await code(cache.ping())).toBe('CACHALOT_CLOSED');
  expect(await code(cache.ready())).toBe('CACHALOT_CLOSED');
});

it('after close() L1 answers nothing, also while factories are waited for', async () => {
  const cache = create(memory(), { l1: true });
  await cache.set({ key: 'k', value: 1 });
  await cache.get('k');
  await cache.get('k');
  expect(cache.stats().l1Hits).toBeGreaterThan(0);
  let finish = () => {};
  const slow = cache.getOrSet({
    key: 'slow',
    factory: () =>
      new Promise<number>((resolve) => {
        finish = () => resolve(1);
      }),
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const closing = cache.close();
  const calls = [
    () => cache.get('k'),
    () => cache.get({ key: 'k' }),
    () => cache.getMany(['k']),
    () => cache.has('k'),
    () => cache.getOrSet({ key: 'k', factory: () => 2 }),
    () => cache.wrap('k', '1m', () => 2),
  ];
  for (const call of calls) expect(await code(call())).toBe('CACHALOT_CLOSED');
  finish();
  await Promise.all([slow, closing]);
  for (const call of calls) expect(await code(call())).toBe('CACHALOT_CLOSED');
});

it('after close() L1 of a Medusa provider answers nothing', async () => {
  const provider = new MemoryCachingProvider({ logger: {} }, { l1: true });
  await provider.set({ key: 'k', data: 1 });
  await provider.get({ key: 'k' });
  await provider.get({ key: 'k' });
  expect(provider.stats().l1Hits).toBeGreaterThan(0);
  const closing = provider.close();
  expect(await code(provider.get({ key: 'k' }))).toBe('CACHALOT_CLOSED');
  await closing;
  expect(await code(provider.get({ key: 'k' }))).toBe('CACHALOT_CLOSED');
});

it('closing the handle of a namespace leaves the cache open', async () => {
  const cache = create(memory());
  const users = cache.namespace('users');
  await users.set({ key: 'k', value: 1 });
  await users.close();
  {
    await using _other = cache.namespace('other');
  }
  expect(await cache.get('users:k')).toBe(1);
  expect(await cache.namespace('users').get('k')).toBe(1);
});

it('expire and pull count and tell', async () => {
  const cache = create(memory());
  const told: unknown[] = [];
  for (const event of ['delete', 'clear', 'hit', 'miss'] as const) {
    cache.on(event, (detail) => void told.push([event, detail]));
  }
  const users = cache.namespace('users');
  await users.set({ key: 'k', value: 1, grace: '1m' });
  await users.expire('k');
  expect(told).toEqual([['clear', { keys: ['users:k'], soft: true }]]);
  await users.set({ key: 'k', value: 2 });
  expect([await users.pull('k'), await users.pull('k')]).toEqual([2, undefined]);
  expect(told.slice(1)).toEqual([
    ['hit', { key: 'users:k', stale: false }],
    ['delete', { keys: ['users:k'] }],
    ['miss', { key: 'users:k' }],
  ]);
  expect(cache.stats()).toMatchObject({ clears: 1, deletes: 1, hits: 1, misses: 1 });
});
