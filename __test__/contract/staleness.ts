// Data read before a clear is never served after it: between a miss and its set, a clear can slip in (all peers).

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { opener, type Provider, type StoreUnderTest } from './stores.js';

const CLEARS: Record<string, (cache: Provider) => Promise<void>> = {
  'by tag': (cache) => cache.clear({ tags: ['t'] }),
  'with autoInvalidate': (cache) => cache.clear({ tags: ['t'], options: { autoInvalidate: true } }),
  'by key': (cache) => cache.clear({ key: 'k' }),
  'by *': (cache) => cache.clear({ tags: ['*'] }),
  'by * with autoInvalidate': (cache) => cache.clear({ tags: ['*'], options: { autoInvalidate: true } }),
  'by key and tag': (cache) => cache.clear({ key: 'k', tags: ['u'] }),
};

/** How many sets it takes until the key is a hit again, each after a miss of its own. */
async function refill(cache: Provider, data: string, tags: string[]): Promise<number> {
  for (let sets = 0; sets < 10; sets++) {
    if ((await cache.get({ key: 'k' })) === data) return sets;
    await cache.set({ key: 'k', data, tags });
  }
  return Number.POSITIVE_INFINITY;
}

export function staleness(store: StoreUnderTest): void {
  const open = opener(store);
  const tags = ['t', 'u'];

  describe.each(Object.entries(CLEARS))('a clear %s', (_, clear) => {
    test('between a miss and its set, by another provider: the set is not served (caching-redis: 20 times of 20)', async () => {
      const [reader, writer, third] = [open(), open(), open()];
      // A tag that exists already, and one that does not, behave alike.
      for (let round = 0; round < 20; round++) {
        expect(await reader.get({ key: 'k' })).toBeNull();
        await clear(writer);
        await reader.set({ key: 'k', data: 'old', tags });
        // Not by the reader: a get of its own that no set follows would count as outstanding.
        for (const cache of [writer, third]) expect(await cache.get({ key: 'k' })).toBeNull();
        expect(await third.get({ tags: ['t'] })).toEqual([]);
        expect(await refill(reader, 'new', tags)).toBeLessThanOrEqual(2);
        expect(await writer.get({ key: 'k' })).toBe('new');
        await writer.clear({ key: 'k' });
      }
    });

    test('between a miss and its set, by the same provider: the set is not served', async () => {
      const [reader, other] = [open(), open()];
      expect(await reader.get({ key: 'k' })).toBeNull();
      await clear(reader);
      await reader.set({ key: 'k', data: 'old', tags });
      expect(await other.get({ key: 'k' })).toBeNull();
    });

    test('does not undo what was set after it', async () => {
      const [reader, writer] = [open(), open()];
      expect(await reader.get({ key: 'k' })).toBeNull();
      await clear(writer);
      await writer.set({ key: 'k', data: 'newer', tags });
      await reader.set({ key: 'k', data: 'old', tags });
      expect(await writer.get({ key: 'k' })).not.toBe('old');
      expect(await reader.get({ key: 'k' })).not.toBe('old');
    });

    test('get, set, clear, late set over two providers: the late one is not served', async () => {
      const [one, two] = [open(), open()];
      expect(await one.get({ key: 'k' })).toBeNull();
      expect(await two.get({ key: 'k' })).toBeNull();
      await one.set({ key: 'k', data: 1, tags });
      expect(await one.get({ key: 'k' })).toBe(1);
      await clear(one);
      await two.set({ key: 'k', data: 1, tags });
      expect(await one.get({ key: 'k' })).toBeNull();
      expect(await two.get({ key: 'k' })).toBeNull();
    });

    test('with several misses of one key under way: only what was read after it is served', async () => {
      const [reader, writer] = [open(), open()];
      await reader.get({ key: 'k' });
      await clear(writer);
      await reader.get({ key: 'k' });
      // Which of the two misses this set follows cannot be told: it must count as the older.
      await reader.set({ key: 'k', data: 'maybe old', tags });
      expect(await writer.get({ key: 'k' })).toBeNull();
      await reader.set({ key: 'k', data: 'maybe old too', tags });
      const served = await writer.get({ key: 'k' });
      expect([null, 'maybe old too']).toContain(served);
      await reader.get({ key: 'k' });
      await reader.set({ key: 'k', data: 'fresh', tags });
      expect([null, 'fresh', 'maybe old too']).toContain(await writer.get({ key: 'k' }));
    });

    test('one get shared by many callers, each of which sets: none is served', async () => {
      const [reader, writer] = [open(), open()];
      expect(await reader.get({ key: 'k' })).toBeNull();
      await clear(writer);
      for (let n = 0; n < 5; n++) await reader.set({ key: 'k', data: 'old', tags });
      expect(await writer.get({ key: 'k' })).toBeNull();
      expect(await reader.get({ key: 'k' })).toBeNull();
    });
  });

  test('automatic invalidation between a miss and its set spares an entry that is kept from it', async () => {
    const [reader, writer] = [open(), open()];
    await writer.set({ key: 'k', data: 0, tags: ['t'] });
    await writer.clear({ key: 'k' });
    expect(await reader.get({ key: 'k' })).toBeNull();
    await writer.clear({ tags: ['t'], options: { autoInvalidate: true } });
    await reader.set({ key: 'k', data: 1, tags: ['t'], options: { autoInvalidate: false } });
    expect(await writer.get({ key: 'k' })).toBe(1);
  });

  test('a set without a get of its own is stored, and counted', async () => {
    const [one, two] = [open(), open()];
    await two.clear({ tags: ['t'] });
    await one.set({ key: 'k', data: 1, tags: ['t'] });
    expect(await two.get({ key: 'k' })).toBe(1);
    expect(one.stats().unguardedSets).toBe(1);
  });

  test('a second set after one miss replaces the first', async () => {
    const [one, two] = [open(), open()];
    expect(await one.get({ key: 'k' })).toBeNull();
    await one.set({ key: 'k', data: 1, tags: ['t'] });
    await one.set({ key: 'k', data: 2, tags: ['t'] });
    expect(await two.get({ key: 'k' })).toBe(2);
    expect(one.stats().unguardedSets).toBe(0);
  });

  test('two providers that both missed: the last set wins', async () => {
    const [one, two] = [open(), open()];
    expect([await one.get({ key: 'k' }), await two.get({ key: 'k' })]).toEqual([null, null]);
    await one.set({ key: 'k', data: 1, tags: ['t'] });
    await two.set({ key: 'k', data: 2, tags: ['t'] });
    expect(await one.get({ key: 'k' })).toBe(2);
  });

  test('an unrelated clear between a miss and its set costs nothing once key and tag are known', async () => {
    const [reader, writer] = [open(), open()];
    await writer.set({ key: 'k', data: 0, tags: ['t'] });
    await writer.clear({ key: 'k' });
    expect(await reader.get({ key: 'k' })).toBeNull();
    await writer.clear({ tags: ['unrelated'] });
    await reader.set({ key: 'k', data: 1, tags: ['t'] });
    expect(await writer.get({ key: 'k' })).toBe(1);
  });

  test('a new tag is stored at the second set at the latest, whatever is cleared meanwhile', async () => {
    const [reader, writer] = [open(), open()];
    for (let key = 0; key < 50; key++) {
      let sets = 0;
      while ((await reader.get({ key: `k${key}` })) === null) {
        await writer.clear({ tags: [`unrelated${sets}`] });
        await reader.set({ key: `k${key}`, data: key, tags: [`new${key}`] });
        sets++;
        expect(sets).toBeLessThanOrEqual(2);
      }
    }
  });

  test('a full table of misses forgets none', async () => {
    const [reader, writer] = [open({ staleWriteGuard: { max: 10 } }), open()];
    const keys = Array.from({ length: 200 }, (_, n) => `k${n}`);
    for (const key of keys) expect(await reader.get({ key })).toBeNull();
    await writer.clear({ tags: ['t'] });
    for (const key of keys) await reader.set({ key, data: 'old', tags: ['t'] });
    for (const key of keys) expect(await writer.get({ key })).toBeNull();
  });

  test('a key that is polled can be set again within the memory of misses after a clear', async () => {
    const reader = open({ staleWriteGuard: { ms: 300 } });
    for (let n = 0; n < 60; n++) expect(await reader.get({ key: 'k' })).toBeNull();
    await reader.clear({ key: 'k' });
    const until = Date.now() + 3_000;
    let sets = 0;
    while (Date.now() < until && sets < 100) {
      // More misses than sets, so that some are always outstanding.
      await reader.get({ key: 'k' });
      if ((await reader.get({ key: 'k' })) !== null) break;
      await reader.set({ key: 'k', data: ++sets });
      await setTimeout(20);
    }
    expect(await reader.get({ key: 'k' })).toBe(sets);
  });

  test.each([
    ['its key', { key: 'k' }],
    ['its tag', { tags: ['t'] }],
  ])('a miss that no set follows costs one set after a clear of %s', async (_, clear) => {
    const [reader, writer] = [open(), open()];
    // A request that failed after its read.
    expect(await reader.get({ key: 'k' })).toBeNull();
    await writer.clear(clear);
    let sets = 0;
    while ((await reader.get({ key: 'k' })) === null) {
      expect(++sets).toBeLessThanOrEqual(2);
      await reader.set({ key: 'k', data: 'after the clear', tags: ['t'] });
    }
    expect(await writer.get({ key: 'k' })).toBe('after the clear');
  });

  test('the value of a slow reader is not stored, however often readers after the clear set another', async () => {
    const [slow, writer] = [open(), open()];
    expect(await slow.get({ key: 'k' })).toBeNull();
    await writer.clear({ key: 'k' });
    for (let n = 0; n < 3; n++) {
      expect(await slow.get({ key: 'k' })).toBeNull();
      await slow.set({ key: 'k', data: `after ${n}` });
    }
    await slow.set({ key: 'k', data: 'before' });
    expect(await writer.get({ key: 'k' })).not.toBe('before');
  });

  test('a refused set is counted, and told on a channel', async () => {
    const [reader, writer] = [open(), open()];
    const told: unknown[] = [];
    const listener = (message: unknown) => told.push(message);
    subscribe('cachalot:set', listener);
    onTestFinished(() => void unsubscribe('cachalot:set', listener));
    await reader.set({ key: 'other', data: 1 });
    expect(await reader.get({ key: 'refused' })).toBeNull();
    await writer.clear({ key: 'refused' });
    await reader.set({ key: 'refused', data: 1 });
    expect(reader.stats().rejectedWrites).toBe(1);
    expect(told).toEqual([{ prefix: expect.any(String), key: 'refused', stored: false }]);
  });

  test('a list remembers no miss and guards no set', async () => {
    const [reader, writer] = [open(), open()];
    expect(await reader.get({ tags: ['t'] })).toEqual([]);
    await reader.set({ key: 'k', data: 1, tags: ['t'] });
    expect(reader.stats().unguardedSets).toBe(1);
    expect(await writer.get({ key: 'k' })).toBe(1);
  });
}
