// Medusa's provider contract, call by call.

import { expect, test } from 'vitest';
import { opener, type StoreUnderTest } from './stores.js';

export function medusaContract(store: StoreUnderTest): void {
  const open = opener(store);

  test('a key that was set is got, from this provider and another', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data: { id: 'prod_1', title: 'Shirt' } });
    expect(await one.get({ key: 'k' })).toEqual({ id: 'prod_1', title: 'Shirt' });
    expect(await two.get({ key: 'k' })).toEqual({ id: 'prod_1', title: 'Shirt' });
  });

  test('a miss is null, neither key nor tags is null, tags without live values are []', async () => {
    const cache = open();
    expect(await cache.get({ key: 'nothing' })).toBeNull();
    expect(await cache.get({})).toBeNull();
    expect(await cache.get({ tags: [] })).toBeNull();
    expect(await cache.get({ tags: ['nobody'] })).toEqual([]);
  });

  test('get by tags answers the live values that carry any of them, each once', async () => {
    const cache = open();
    await cache.set({ key: 'a', data: 'A', tags: ['x'] });
    await cache.set({ key: 'b', data: 'B', tags: ['x', 'y'] });
    await cache.set({ key: 'c', data: 'C', tags: ['y'] });
    await cache.set({ key: 'd', data: 'D', tags: ['z'] });
    await cache.set({ key: 'e', data: 'E' });
    expect((await cache.get({ tags: ['x'] })).sort()).toEqual(['A', 'B']);
    expect((await cache.get({ tags: ['x', 'y'] })).sort()).toEqual(['A', 'B', 'C']);
    expect((await cache.get({ tags: ['x', 'nobody'] })).sort()).toEqual(['A', 'B']);
  });

  test('with a key and tags the key wins', async () => {
    const cache = open();
    await cache.set({ key: 'a', data: 'A', tags: ['x'] });
    await cache.set({ key: 'b', data: 'B', tags: ['x'] });
    expect(await cache.get({ key: 'a', tags: ['x'] })).toBe('A');
    expect(await cache.get({ key: 'nothing', tags: ['x'] })).toBeNull();
  });

  test('set replaces value, tags and options together', async () => {
    const cache = open();
    await cache.set({ key: 'k', data: 1, tags: ['old'], options: { autoInvalidate: false } });
    await cache.set({ key: 'k', data: 2, tags: ['new'] });
    expect(await cache.get({ tags: ['old'] })).toEqual([]);
    expect(await cache.get({ tags: ['new'] })).toEqual([2]);
    await cache.clear({ tags: ['old'] });
    expect(await cache.get({ key: 'k' })).toBe(2);
    await cache.clear({ tags: ['new'], options: { autoInvalidate: true } });
    expect(await cache.get({ key: 'k' })).toBeNull();
  });

  test('clear by key clears that key alone, for every provider', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data: 1, tags: ['t'] });
    await one.set({ key: 'other', data: 2, tags: ['t'] });
    expect(await two.get({ key: 'k' })).toBe(1);
    await one.clear({ key: 'k' });
    expect(await one.get({ key: 'k' })).toBeNull();
    expect(await two.get({ key: 'k' })).toBeNull();
    expect(await two.get({ tags: ['t'] })).toEqual([2]);
  });

  test('clear by tags clears what carries any of them, for every provider', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'a', data: 1, tags: ['x'] });
    await one.set({ key: 'b', data: 2, tags: ['x', 'y'] });
    await one.set({ key: 'c', data: 3, tags: ['z'] });
    expect(await two.get({ key: 'b' })).toBe(2);
    await one.clear({ tags: ['x', 'nobody'] });
    for (const cache of [one, two]) {
      expect(await cache.get({ key: 'a' })).toBeNull();
      expect(await cache.get({ key: 'b' })).toBeNull();
      expect(await cache.get({ key: 'c' })).toBe(3);
      expect(await cache.get({ tags: ['y'] })).toEqual([]);
    }
  });

  test('clear with a key and tags clears both, whatever the options', async () => {
    const cache = open();
    const fill = async () => {
      await cache.set({ key: 'k', data: 1, options: { autoInvalidate: false } });
      await cache.set({ key: 'tagged', data: 2, tags: ['t'] });
    };
    await fill();
    await cache.clear({ key: 'k', tags: ['t'] });
    expect([await cache.get({ key: 'k' }), await cache.get({ key: 'tagged' })]).toEqual([null, null]);
    await fill();
    await cache.clear({ key: 'k', tags: ['t'], options: { autoInvalidate: true } });
    expect([await cache.get({ key: 'k' }), await cache.get({ key: 'tagged' })]).toEqual([null, null]);
    await fill();
    await cache.clear({ key: 'k', tags: ['t'], options: { autoInvalidate: false } });
    expect([await cache.get({ key: 'k' }), await cache.get({ key: 'tagged' })]).toEqual([null, 2]);
  });

  test('clear of nothing, and of what is not there, resolves', async () => {
    const cache = open();
    await cache.clear({});
    await cache.clear({ tags: [] });
    await cache.clear({ key: 'nothing' });
    await cache.clear({ tags: ['nobody'] });
  });

  test('an absent and an undefined autoInvalidate count as true (the tutorial: never fires for {autoInvalidate: undefined})', async () => {
    const cache = open();
    await cache.set({ key: 'absent', data: 1, tags: ['t'] });
    await cache.set({ key: 'empty', data: 2, tags: ['t'], options: {} });
    await cache.set({ key: 'undefined', data: 3, tags: ['t'], options: { autoInvalidate: undefined } });
    await cache.set({ key: 'true', data: 4, tags: ['t'], options: { autoInvalidate: true } });
    await cache.set({ key: 'false', data: 5, tags: ['t'], options: { autoInvalidate: false } });
    await cache.clear({ tags: ['t'], options: { autoInvalidate: true } });
    expect(await cache.get({ tags: ['t'] })).toEqual([5]);
    for (const key of ['absent', 'empty', 'undefined', 'true']) expect(await cache.get({ key })).toBeNull();
    expect(await cache.get({ key: 'false' })).toBe(5);
    await cache.clear({ tags: ['t'] });
    expect(await cache.get({ key: 'false' })).toBeNull();
  });

  test('any other options object clears nothing by tags', async () => {
    const cache = open();
    await cache.set({ key: 'k', data: 1, tags: ['t'] });
    await cache.clear({ tags: ['t'], options: {} });
    await cache.clear({ tags: ['t'], options: { autoInvalidate: false } });
    await cache.clear({ tags: ['t'], options: { autoInvalidate: undefined } });
    await cache.clear({ tags: ['*'], options: { autoInvalidate: false } });
    expect(await cache.get({ key: 'k' })).toBe(1);
  });

  test('a clear by tag ends entries of that moment, not later ones', async () => {
    const cache = open();
    for (let round = 0; round < 5; round++) {
      await cache.clear({ tags: ['t'] });
      await cache.clear({ tags: ['t'], options: { autoInvalidate: true } });
      await cache.set({ key: 'k', data: round, tags: ['t'] });
      expect(await cache.get({ key: 'k' })).toBe(round);
    }
  });

  test('what cannot be stored is a clear error, and the entry that was there stays', async () => {
    const cache = open();
    await cache.set({ key: 'k', data: 'kept' });
    const refused = { code: 'CACHALOT_CONFIG' };
    // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass.
    const set = (request: any) => cache.set(request);
    await expect(set({ key: 'k', data: undefined })).rejects.toMatchObject(refused);
    await expect(set({ key: 'k' })).rejects.toMatchObject(refused);
    await expect(set({ key: 'k', data: () => 1 })).rejects.toMatchObject(refused);
    for (const key of [undefined, null, 7, {}, ['k']]) {
      await expect(set({ key, data: 1 })).rejects.toMatchObject(refused);
    }
    for (const ttl of [-1, Number.NaN, Number.POSITIVE_INFINITY, '60', null, {}]) {
      await expect(set({ key: 'k', data: 1, ttl })).rejects.toMatchObject(refused);
    }
    for (const tags of ['t', [1], [null], { 0: 't' }]) {
      await expect(set({ key: 'k', data: 1, tags })).rejects.toMatchObject(refused);
    }
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await expect(set({ key: 'k', data: circular })).rejects.toMatchObject(refused);
    await expect(set({ key: 'k', data: 1n })).rejects.toMatchObject(refused);
    expect(await cache.get({ key: 'k' })).toBe('kept');
    // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass.
    await expect(cache.get({ key: 7 } as any)).rejects.toMatchObject(refused);
    // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass.
    await expect(cache.clear({ key: 7 } as any)).rejects.toMatchObject(refused);
  });

  test('many operations of one turn are answered each with its own', async () => {
    const cache = open();
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => cache.set({ key, data: { key }, tags: [`t${key}`] })));
    const got = await Promise.all([...keys, 'missing', ...keys].map((key) => cache.get({ key })));
    expect(got).toEqual([...keys.map((key) => ({ key })), null, ...keys.map((key) => ({ key }))]);
  });

  test('operations of one turn happen in the order in which they were asked for', async () => {
    const cache = open();
    const [, first, , second, , third] = await Promise.all([
      cache.set({ key: 'k', data: 1, tags: ['t'] }),
      cache.get({ key: 'k' }),
      cache.set({ key: 'k', data: 2, tags: ['t'] }),
      cache.get({ key: 'k' }),
      cache.clear({ tags: ['t'] }),
      cache.get({ key: 'k' }),
    ]);
    // Where tags are read after the entry, the clear that follows may come in between: a miss, never another value.
    const twice = store.kind !== 'memory';
    expect(twice ? [1, null] : [1]).toContain(first);
    expect(twice ? [2, null] : [2]).toContain(second);
    expect(third).toBeNull();
  });

  test('stats count what happened', async () => {
    const cache = open();
    const before = cache.stats();
    await cache.get({ key: 'k' });
    await cache.set({ key: 'k', data: 'x'.repeat(5_000), tags: ['t'] });
    await cache.get({ key: 'k' });
    await cache.get({ key: 'k' });
    await cache.clear({ tags: ['t'] });
    await cache.get({ key: 'k' });
    await cache.set({ key: 'unguarded', data: 1 });
    const after = cache.stats();
    const since = Object.fromEntries(
      Object.entries(after as Record<string, number>).map(([name, n]) => [
        name,
        n - before[name as keyof typeof before],
      ]),
    );
    expect((since.hits ?? 0) + (since.l1Hits ?? 0)).toBe(2);
    expect(since).toMatchObject({
      misses: 2,
      sets: 2,
      clears: 1,
      unguardedSets: 1,
      rejectedWrites: 0,
      corrupt: 0,
      errors: 0,
      outages: 0,
    });
    expect(since.bytesIn).toBe(5_002 + 1);
  });

  test('after close every call rejects with CACHALOT_CLOSED, and close again resolves', async () => {
    const [cache, other] = [open(), open()];
    await cache.set({ key: 'k', data: 1 });
    const last = cache.get({ key: 'k' });
    await Promise.all([cache.close(), cache.close()]);
    expect(await last).toBe(1);
    await cache.close();
    const closed = { code: 'CACHALOT_CLOSED' };
    await expect(cache.get({ key: 'k' })).rejects.toMatchObject(closed);
    await expect(cache.set({ key: 'k', data: 2 })).rejects.toMatchObject(closed);
    await expect(cache.clear({ key: 'k' })).rejects.toMatchObject(closed);
    expect(await other.get({ key: 'k' })).toBe(1);
  });
}
