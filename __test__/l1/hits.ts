// What L1 keeps, and that nothing cleared or replaced through this process is served from it afterwards.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { opener, type SpecUnderTest } from '../cache/caches.js';

export function hits(store: SpecUnderTest): void {
  const open = opener(store);

  test('a hit asks the store once', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'users:7', value: { name: 'Ann' }, tags: ['team'] });
    for (let i = 0; i < 50; i++) {
      expect(await cache.get('users:7')).toEqual({ name: 'Ann' });
    }
    expect(await cache.getMany(['users:7', 'users:8'])).toEqual([{ name: 'Ann' }, undefined]);
    expect(await cache.has('users:7')).toBe(true);
    expect(await cache.getOrSet({ key: 'users:7', factory: () => ({ name: 'Bob' }) })).toEqual({
      name: 'Ann',
    });
    const { hits, misses, l1Hits, store: own } = cache.stats();
    expect({ hits, misses, l1Hits }).toEqual({ hits: 52, misses: 1, l1Hits: 51 });
    expect(own).toMatchObject({ hits: 1, misses: 1, l1Hits: 52, l1Entries: 1 });
    expect(own.l1Bytes).toBeGreaterThan(20);
  });

  test('after close nothing is said to be kept, and the counts are what they were', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'k', value: 1 });
    for (let i = 0; i < 3; i++) await cache.get('k');
    expect(cache.stats().store).toMatchObject({ hits: 1, l1Hits: 2, l1Entries: 1 });
    await cache.close();
    expect(cache.stats().store).toMatchObject({ hits: 1, l1Hits: 2, l1Entries: 0, l1Bytes: 0 });
  });

  test('a copy for each caller, null and text of any script', async () => {
    const cache = open({ l1: true });
    const values = { list: [1, 2], none: null, latin: 'café', wide: '10 € 🐋', number: 0, no: false };
    for (const [key, value] of Object.entries(values)) {
      await cache.set({ key, value });
      await cache.get(key);
      expect(await cache.get(key)).toEqual(value);
    }
    expect(cache.stats().l1Hits).toBe(6);
    const list = await cache.get<number[]>('list');
    list?.push(3);
    expect(await cache.get('list')).toEqual([1, 2]);
  });

  test('a getOrSet that found its value in the store keeps it', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'k', value: 1 });
    const ask = () => cache.getOrSet({ key: 'k', factory: () => 2 });
    expect([await ask(), await ask(), await ask()]).toEqual([1, 1, 1]);
    expect(cache.stats()).toMatchObject({ l1Hits: 2, store: { hits: 1 } });
  });

  const clears: Record<string, (cache: ReturnType<typeof open>) => Promise<unknown>> = {
    delete: (cache) => cache.delete('a:b:k'),
    'set with a ttl of 0': (cache) => cache.set({ key: 'a:b:k', value: 0, ttl: 0 }),
    pull: (cache) => cache.pull('a:b:k'),
    expire: (cache) => cache.expire('a:b:k'),
    deleteByTag: (cache) => cache.deleteByTag(['t']),
    expireByTag: (cache) => cache.expireByTag(['t']),
    'deleteByTag of *': (cache) => cache.deleteByTag(['*']),
    'clear of a namespace': (cache) => cache.namespace('a').clear(),
    'clear of a namespace below': (cache) => cache.namespace('a').namespace('b').clear(),
    clear: (cache) => cache.clear(),
  };
  const cleared: [string, string, (typeof clears)[string]][] = [];
  for (const [name, clear] of Object.entries(clears)) {
    cleared.push([name, 'it', clear], [name, 'another cache of this process', clear]);
  }
  test.each(cleared)('nothing is served after %s by %s has resolved', async (_, by, clear) => {
    const cache = open({ l1: true });
    // Without gets of its own: the misses of the other would guard its sets.
    const writer = open();
    for (let round = 0; round < 200; round++) {
      await writer.set({ key: 'a:b:k', value: round, tags: ['t'] });
      expect(await cache.get('a:b:k')).toBe(round);
      // Reads on their way while it clears, and one after it was asked for.
      const reads = [cache.get('a:b:k'), cache.get('a:b:k')];
      const clearing = clear(by === 'it' ? cache : writer);
      reads.push(cache.get('a:b:k'));
      await clearing;
      expect(await cache.get('a:b:k')).toBeUndefined();
      await Promise.all(reads);
      expect(await cache.get('a:b:k')).toBeUndefined();
    }
  });

  test('what another cache of this process has set is served from then on', async () => {
    const cache = open({ l1: true });
    const writer = open();
    for (let round = 0; round < 500; round++) {
      await writer.set({ key: 'k', value: round });
      // The server's word of the set may come during the first of these, which is then not kept.
      expect(await cache.get('k')).toBe(round);
      expect(await cache.get('k')).toBe(round);
      expect(await cache.get('k')).toBe(round);
    }
    expect(cache.stats().l1Hits).toBeGreaterThan(400);
  });

  test('a set is followed by its own value, whatever was on its way', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'k', value: -1 });
    for (let round = 0; round < 1000; round++) {
      const before = cache.get('k');
      const set = cache.set({ key: 'k', value: round });
      const behind = cache.get('k');
      expect(await behind).toBe(round);
      await Promise.all([before, set]);
      expect(await cache.get('k')).toBe(round);
    }
  });

  test('an unrelated clear ends nothing', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'k', value: 1, tags: ['t'] });
    await cache.get('k');
    await cache.deleteByTag(['other']);
    await cache.set({ key: 'other', value: 1 });
    // The server's word of these comes with the next answer at the latest.
    await cache.has('none');
    const before = cache.stats().l1Hits;
    await cache.get('k');
    expect(cache.stats().l1Hits).toBe(before + 1);
  });

  test('its end is that of the value: ttl, grace, l1.ttl', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'short', value: 1, ttl: 80 });
    await cache.set({ key: 'graced', value: 1, ttl: 80, grace: '1h' });
    expect([await cache.get('short'), await cache.get('graced')]).toEqual([1, 1]);
    await sleep(100);
    expect([await cache.get('short'), await cache.get('graced')]).toEqual([undefined, undefined]);
    let runs = 0;
    const ask = () => cache.getOrSet({ key: 'graced', grace: '1h', factory: () => ++runs + 1 });
    // Stale, while the factory runs behind.
    expect(await ask()).toBe(1);
    await expect.poll(ask).toBe(2);

    const bounded = open({ l1: { ttl: 60 } });
    await bounded.set({ key: 'k', value: 1 });
    await bounded.get('k');
    await bounded.get('k');
    expect(bounded.stats().l1Hits).toBe(1);
    await sleep(80);
    await bounded.get('k');
    expect(bounded.stats().l1Hits).toBe(1);
  });

  test('an early refresh is decided by the store', async () => {
    const cache = open({ l1: true, earlyRefresh: 1 });
    let runs = 0;
    const ask = () => cache.getOrSet({ key: 'k', ttl: '1h', factory: () => ++runs });
    expect([await ask(), await ask(), await ask()]).toEqual([1, 1, 1]);
    expect(cache.stats().l1Hits).toBe(0);
  });

  test('shared values are one, frozen to their depths', async () => {
    const cache = open({ l1: { share: true } });
    await cache.set({ key: 'k', value: { deep: [{ name: 'Ann' }], none: null } });
    const first = await cache.get<{ deep: { name: string }[] }>('k');
    const second = await cache.get<{ deep: { name: string }[] }>('k');
    const third = await cache.getOrSet({ key: 'k', factory: () => ({}) });
    expect(second).toBe(first);
    expect(third).toBe(first);
    for (const value of [first, second]) {
      expect(() => {
        (value as { deep: unknown[] }).deep.push(1);
      }).toThrow(TypeError);
      expect(() => {
        const [one] = (value as { deep: { name: string }[] }).deep;
        (one as { name: string }).name = 'Bob';
      }).toThrow(TypeError);
    }
    expect(await cache.get('k')).toEqual({ deep: [{ name: 'Ann' }], none: null });
    await cache.set({ key: 'other', value: [1] });
    // Also where it comes from the store.
    expect(Object.isFrozen(await cache.getOrSet({ key: 'other', factory: () => [] }))).toBe(true);
  });

  test('the structured serializer gets bytes of its own', async () => {
    const cache = open({ serializer: 'structured', l1: true });
    await cache.set({ key: 'k', value: { bytes: Buffer.from('abc'), at: new Date(5) } });
    for (let i = 0; i < 3; i++) {
      const value = await cache.get<{ bytes: Buffer; at: Date }>('k');
      expect(value).toEqual({ bytes: Buffer.from('abc'), at: new Date(5) });
      value?.bytes.fill(0);
    }
    expect(cache.stats().l1Hits).toBe(2);
  });

  test('it stays within its bytes', async () => {
    const cache = open({ l1: { maxBytes: 1024 * 1024 } });
    const keys = Array.from({ length: 4000 }, (_, i) => `k${i}`);
    await cache.setMany(keys.map((key) => ({ key, value: 'x'.repeat(200) })));
    await cache.getMany(keys);
    const { l1Bytes, l1Entries } = cache.stats().store;
    expect(l1Bytes).toBeLessThanOrEqual(1024 * 1024);
    expect(l1Entries).toBeGreaterThan(1000);
    expect(l1Entries).toBeLessThan(2000);
    // Larger than an eighth of it.
    await cache.set({ key: 'large', value: 'x'.repeat(200_000) });
    await cache.get('large');
    await cache.get('large');
    expect(cache.stats().l1Hits).toBe(0);
  });

  test('a hit is told as one of L1', async () => {
    const cache = open({ l1: true });
    const told: unknown[] = [];
    cache.on('hit', (detail) => told.push(detail));
    await cache.set({ key: 'k', value: 1 });
    await cache.get('k');
    await cache.get('k');
    expect(told).toEqual([
      { key: 'k', stale: false },
      { key: 'k', stale: false, tier: 'l1' },
    ]);
  });

  test('after close it serves nothing', async () => {
    const cache = open({ l1: true });
    await cache.set({ key: 'k', value: 1 });
    await cache.get('k');
    await cache.close();
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
  });

  test('expiry goes by the clock of the program', async () => {
    const cache = open({ l1: { ttl: '2h' } });
    await cache.set({ key: 'k', value: 1, ttl: '1h' });
    await cache.get('k');
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 3_599_000);
    await cache.get('k');
    expect(cache.stats().l1Hits).toBe(1);
    vi.setSystemTime(Date.now() + 2_000);
    await cache.get('k');
    expect(cache.stats().l1Hits).toBe(1);
  });
  afterEach(() => void vi.useRealTimers());
}
