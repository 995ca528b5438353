// How long an entry lives.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { RedisRaw } from './raw-redis.js';
import { opener, type StoreUnderTest, uniquePrefix } from './stores.js';

const DAY = 24 * 3600;

export function lifetimes(store: StoreUnderTest): void {
  const open = opener(store);

  test('an entry ends with its ttl, to the millisecond, also where the server counts seconds', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'short', data: 1, ttl: 0.25, tags: ['t'] });
    await one.set({ key: 'long', data: 2, ttl: 60, tags: ['t'] });
    expect(await two.get({ key: 'short' })).toBe(1);
    await sleep(300);
    for (const cache of [one, two]) {
      expect(await cache.get({ key: 'short' })).toBeNull();
      expect(await cache.get({ tags: ['t'] })).toEqual([2]);
    }
  });

  test('a sub-second ttl is not cut down to nothing', async () => {
    const cache = open();
    await cache.set({ key: 'k', data: 1, ttl: 0.9 });
    expect(await cache.get({ key: 'k' })).toBe(1);
    await cache.set({ key: 'tiny', data: 1, ttl: 1e-9 });
    await sleep(5);
    expect(await cache.get({ key: 'tiny' })).toBeNull();
  });

  test('a missing ttl is the default of the options', async () => {
    const cache = open({ ttl: 0.2 });
    await cache.set({ key: 'default', data: 1 });
    await cache.set({ key: 'undefined', data: 1, ttl: undefined });
    await cache.set({ key: 'own', data: 1, ttl: 60 });
    expect(await cache.get({ key: 'default' })).toBe(1);
    await sleep(250);
    expect(await cache.get({ key: 'default' })).toBeNull();
    expect(await cache.get({ key: 'undefined' })).toBeNull();
    expect(await cache.get({ key: 'own' })).toBe(1);
  });

  test('ttl 0 stores nothing and leaves no older value', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data: 1, tags: ['t'] });
    await two.set({ key: 'k', data: 2, ttl: 0, tags: ['t'] });
    expect(await one.get({ key: 'k' })).toBeNull();
    expect(await one.get({ tags: ['t'] })).toEqual([]);
    await one.set({ key: 'new', data: 1, ttl: 0 });
    expect(await one.get({ key: 'new' })).toBeNull();
  });

  test.each([
    ['30 days less a second', 30 * DAY - 1],
    ['30 days', 30 * DAY],
    ['31 days', 31 * DAY],
    ['a year', 365 * DAY],
    ['a hundred years', 100 * 365 * DAY],
    ['more than any clock', Number.MAX_VALUE],
  ])('%s is a lifetime', async (_, ttl) => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data: 1, ttl, tags: ['t'] });
    await sleep(20);
    expect(await two.get({ key: 'k' })).toBe(1);
    await two.clear({ tags: ['t'] });
    expect(await one.get({ key: 'k' })).toBeNull();
  });

  test('a set with a longer or shorter ttl replaces the older one', async () => {
    const cache = open();
    await cache.set({ key: 'longer', data: 1, ttl: 0.1 });
    await cache.set({ key: 'longer', data: 2, ttl: 60 });
    await cache.set({ key: 'shorter', data: 1, ttl: 60 });
    await cache.set({ key: 'shorter', data: 2, ttl: 0.1 });
    await sleep(150);
    expect(await cache.get({ key: 'longer' })).toBe(2);
    expect(await cache.get({ key: 'shorter' })).toBeNull();
  });

  test('a short entry does not shorten the life of its tag (caching-redis: a short-TTL write shortens the tag set, a later clear misses entries)', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'long', data: 1, ttl: 60, tags: ['t'] });
    await one.set({ key: 'short', data: 2, ttl: 0.1, tags: ['t'] });
    await sleep(1_200);
    expect(await two.get({ key: 'long' })).toBe(1);
    expect(await two.get({ tags: ['t'] })).toEqual([1]);
    await two.clear({ tags: ['t'] });
    expect(await one.get({ key: 'long' })).toBeNull();
  });

  test('a long entry after a short one of its tag stays clearable and alive', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'short', data: 2, ttl: 0.1, tags: ['t'] });
    await one.set({ key: 'long', data: 1, ttl: 60, tags: ['t'] });
    await sleep(1_200);
    expect(await two.get({ key: 'long' })).toBe(1);
    await two.clear({ tags: ['t'] });
    expect(await one.get({ key: 'long' })).toBeNull();
  });

  test.each([
    ['ahead of', 3_600_000],
    ['behind', -3_600_000],
  ])(
    "a clear counts although the clearer's clock is %s the writer's (Bentocache: wall-clock tag timestamps)",
    async (_, skew) => {
      const [writer, clearer, reader] = [open(), open(), open()];
      await writer.set({ key: 'k', data: 1, ttl: 10 * DAY, tags: ['t'] });
      expect(await reader.get({ key: 'k' })).toBe(1);
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + skew });
      try {
        await clearer.clear({ tags: ['t'] });
      } finally {
        vi.useRealTimers();
      }
      expect(await reader.get({ key: 'k' })).toBeNull();
      await writer.set({ key: 'k', data: 2, ttl: 10 * DAY, tags: ['t'] });
      expect(await reader.get({ key: 'k' })).toBe(2);
    },
  );

  test('two clears and sets within one second each count (the tutorial: second-resolution versions that can repeat)', async () => {
    const [writer, clearer, reader] = [open(), open(), open()];
    for (let round = 0; round < 20; round++) {
      await writer.set({ key: 'k', data: round, tags: ['t'] });
      expect(await reader.get({ key: 'k' })).toBe(round);
      await clearer.clear({ tags: ['t'] });
      expect(await reader.get({ key: 'k' })).toBeNull();
    }
  });

  if (store.kind === 'memory') {
    test('expiry goes by Date.now(), so fake timers work', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      try {
        const cache = open();
        await cache.set({ key: 'k', data: 1, ttl: 60 });
        vi.setSystemTime(Date.now() + 59_000);
        expect(await cache.get({ key: 'k' })).toBe(1);
        vi.setSystemTime(Date.now() + 1_001);
        expect(await cache.get({ key: 'k' })).toBeNull();
      } finally {
        vi.useRealTimers();
      }
    });
  }

  if (store.kind === 'redis') {
    const raw = store.raw as RedisRaw;
    test('the clear log knows the longest life in use, and a lost log brings nothing back (Bentocache: 10-day markers let longer entries come back)', async () => {
      const prefix = uniquePrefix();
      const cache = open({ prefix });
      await cache.set({ key: 'month', data: 1, ttl: 30 * DAY, tags: ['t'] });
      await cache.set({ key: 'minute', data: 1, ttl: 60, tags: ['t'] });
      const entry = (await raw.command('PTTL', `${prefix}::month`)) as number;
      expect(Number(await raw.command('GET', `${prefix}!m`))).toBeGreaterThanOrEqual(entry);
      expect(await raw.command('PTTL', `${prefix}!m`)).toBeGreaterThan(entry);
      await cache.clear({ tags: ['t'] });
      await raw.command('DEL', `${prefix}!c`);
      expect(await open({ prefix }).get({ key: 'month' })).toBeNull();
      await cache.set({ key: 'other', data: 1, tags: ['t'] });
      expect(await open({ prefix }).get({ key: 'month' })).toBeNull();
    });
  }
}
