import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { opener, type SpecUnderTest } from './caches.js';

export function basics(store: SpecUnderTest) {
  const open = opener(store);

  it('gives back what was set, and undefined for a miss', async () => {
    const cache = open();
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.set({ key: 'a', value: { n: [1, 'é', '🐋'] } })).toBe(true);
    expect(await cache.get('a')).toEqual({ n: [1, 'é', '🐋'] });
    expect(await cache.get({ key: 'a' })).toEqual({ n: [1, 'é', '🐋'] });
  });

  it('takes null, false, 0 and the empty string for values', async () => {
    const cache = open();
    for (const value of [null, false, 0, '']) {
      await cache.set({ key: 'v', value });
      expect(await cache.get('v')).toBe(value);
      expect(await cache.has('v')).toBe(true);
      expect(await cache.getOrSet({ key: 'v', factory: () => 'other' })).toBe(value);
    }
  });

  it('gives a default for a miss and stores it nowhere', async () => {
    const cache = open();
    expect(await cache.get({ key: 'a', defaultValue: 7 })).toBe(7);
    expect(await cache.get('a')).toBeUndefined();
  });

  it('answers many in order, with undefined for each miss', async () => {
    const cache = open();
    expect(
      await cache.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: null, tags: ['t'] },
      ]),
    ).toBe(true);
    expect(await cache.getMany(['b', 'x', 'a', 'a'])).toEqual([null, undefined, 1, 1]);
    expect(await cache.getMany({ keys: [] })).toEqual([]);
    expect(await cache.setMany({ entries: [{ key: 'x', value: 2, ttl: 0 }] })).toBe(true);
    expect(await cache.get('x')).toBeUndefined();
  });

  it('has, misses and deletes, and says whether something was there', async () => {
    const cache = open();
    await cache.put({ key: 'a', value: 1 });
    expect([await cache.has('a'), await cache.missing('a')]).toEqual([true, false]);
    expect(await cache.delete('a')).toBe(true);
    expect(await cache.delete({ key: 'a' })).toBe(false);
    expect([await cache.has({ key: 'a' }), await cache.missing({ key: 'a' })]).toEqual([false, true]);
    await cache.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ]);
    expect(await cache.deleteMany({ keys: ['b', 'c'] })).toBe(true);
    expect(await cache.deleteMany(['b', 'c'])).toBe(false);
    expect(await cache.deleteMany([])).toBe(false);
    expect(await cache.getMany(['a', 'b'])).toEqual([1, undefined]);
  });

  it('pulls a value for exactly one of many callers', async () => {
    const [one, other] = [open(), open()];
    await one.set({ key: 'token', value: 'x' });
    const pulled = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? one : other).pull('token')),
    );
    expect(pulled.filter((value) => value === 'x')).toHaveLength(1);
    expect(pulled.filter((value) => value === undefined)).toHaveLength(19);
    expect(await one.get('token')).toBeUndefined();
  });

  it('keeps lifetimes in milliseconds and in words; 0 leaves no older value', async () => {
    const cache = open({ ttl: '150ms' });
    await cache.set({ key: 'default', value: 1 });
    await cache.set({ key: 'own', value: 2, ttl: '1h' });
    await cache.set({ key: 'ever', value: 3, ttl: null });
    await cache.setForever({ key: 'ever too', value: 4 });
    await cache.set({ key: 'none', value: 5, ttl: '1m' });
    await cache.set({ key: 'none', value: 6, ttl: 0 });
    const keys = ['default', 'own', 'ever', 'ever too', 'none'];
    expect(await cache.getMany(keys)).toEqual([1, 2, 3, 4, undefined]);
    await sleep(200);
    expect(await cache.getMany(keys)).toEqual([undefined, 2, 3, 4, undefined]);
  });

  it('clears by tags, and everything', async () => {
    const cache = open();
    await cache.setMany([
      { key: 'a', value: 1, tags: ['red', 'round'] },
      { key: 'b', value: 2, tags: ['red'] },
      { key: 'c', value: 3 },
    ]);
    expect(await cache.deleteByTag({ tags: ['round', 'unknown'] })).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 2, 3]);
    expect(await cache.deleteByTags(['red'])).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, 3]);
    expect(await cache.clear()).toBe(true);
    expect(await cache.get('c')).toBeUndefined();
    await cache.set({ key: 'c', value: 4 });
    expect(await cache.get('c')).toBe(4);
  });

  it('stores every set, whatever was read or cleared before', async () => {
    const [one, other] = [open(), open()];
    for (const clear of [
      () => other.delete('k'),
      () => other.deleteByTag(['t']),
      () => other.clear(),
      () => other.expire('k'),
      () => one.deleteMany(['k']),
    ]) {
      await one.set({ key: 'k', value: 'before', tags: ['t'] });
      await one.delete('k');
      expect(await one.get('k')).toBeUndefined();
      await clear();
      expect(await one.set({ key: 'k', value: 'after', tags: ['t'] })).toBe(true);
      expect(await other.get('k')).toBe('after');
      await clear();
      expect(await one.setMany([{ key: 'k', value: 'many', tags: ['t'] }])).toBe(true);
      expect(await other.get('k')).toBe('many');
    }
    expect(one.stats().rejectedWrites).toBe(0);
  });

  it('stores no value of a factory whose data was read before a clear', async () => {
    const [one, other] = [open(), open()];
    for (const clear of [() => other.delete('k'), () => other.deleteByTag(['t']), () => other.clear()]) {
      const factory = async () => {
        await clear();
        return 'stale';
      };
      expect(await one.getOrSet({ key: 'k', tags: ['t'], factory })).toBe('stale');
      expect(await other.get('k')).toBeUndefined();
    }
  });

  it('counts', async () => {
    const cache = open();
    await cache.set({ key: 'a', value: 'x'.repeat(100) });
    await cache.get('a');
    await cache.get('b');
    await cache.getOrSet({ key: 'c', factory: () => 1 });
    await cache.delete('a');
    const stats = cache.stats();
    expect(stats).toMatchObject({ hits: 1, misses: 2, sets: 2, deletes: 1, staleHits: 0 });
    expect(stats.factories).toEqual({ runs: 1, failures: 0 });
    expect(stats.bytesIn).toBe(103);
    expect(stats.bytesStored).toBeGreaterThanOrEqual(103);
    expect(stats.latency.factory.count).toBe(1);
    expect(stats.latency.read.count).toBeGreaterThan(0);
    expect(stats.latency.read.p99).toBeGreaterThanOrEqual(stats.latency.read.p50);
  });

  it('pulls no stale value, and leaves none', async () => {
    const cache = open({ grace: '1h' });
    await cache.set({ key: 'token', value: 'old' });
    await cache.expire('token');
    expect(await cache.pull('token')).toBeUndefined();
    expect(await cache.getOrSet({ key: 'token', factory: () => 'new' })).toBe('new');
  });

  it('finishes what was called before it is closed', async () => {
    const cache = open();
    const reader = open();
    const calls = [
      cache.set({ key: 'a', value: 1 }),
      cache.setMany([{ key: 'b', value: 2 }]),
      cache.getOrSet({ key: 'c', factory: () => sleep(50).then(() => 3) }),
      cache.delete('d'),
    ];
    await cache.close();
    expect(await Promise.all(calls)).toEqual([true, true, 3, false]);
    expect(await reader.getMany(['a', 'b', 'c'])).toEqual([1, 2, 3]);
  });

  it('rejects once it is closed', async () => {
    const cache = open();
    await cache.close();
    await cache[Symbol.asyncDispose]();
    const code = 'CACHALOT_CLOSED';
    await expect(cache.get('a')).rejects.toMatchObject({ code });
    await expect(cache.set({ key: 'a', value: 1 })).rejects.toMatchObject({ code });
    await expect(cache.getOrSet({ key: 'a', factory: () => 1 })).rejects.toMatchObject({ code });
    await expect(cache.namespace('n').clear()).rejects.toMatchObject({ code });
  });
}
