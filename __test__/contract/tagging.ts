// Tags: what a clear reaches, and what lists see.

import { expect, test } from 'vitest';
import { opener, type StoreUnderTest } from './stores.js';

export function tagging(store: StoreUnderTest): void {
  const open = opener(store);

  test('* clears every entry, tagged or not, kept from automatic invalidation or not (the tutorial: * is ignored)', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'bare', data: 1 });
    await one.set({ key: 'tagged', data: 2, tags: ['t'] });
    await one.set({ key: 'kept', data: 3, tags: ['t'], options: { autoInvalidate: false } });
    expect(await two.get({ key: 'bare' })).toBe(1);
    await one.clear({ tags: ['*'] });
    for (const cache of [one, two]) {
      for (const key of ['bare', 'tagged', 'kept']) expect(await cache.get({ key })).toBeNull();
      expect(await cache.get({ tags: ['t'] })).toEqual([]);
    }
    await two.set({ key: 'bare', data: 4 });
    expect(await one.get({ key: 'bare' })).toBe(4);
  });

  test('* with autoInvalidate spares what is kept from it', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'bare', data: 1 });
    await one.set({ key: 'kept', data: 2, tags: ['t'], options: { autoInvalidate: false } });
    await two.clear({ tags: ['*'], options: { autoInvalidate: true } });
    expect(await one.get({ key: 'bare' })).toBeNull();
    expect(await one.get({ key: 'kept' })).toBe(2);
    await two.clear({ tags: ['x', '*', 'y'] });
    expect(await one.get({ key: 'kept' })).toBeNull();
  });

  test('* as a tag of an entry is a tag as any other, until it is cleared', async () => {
    const cache = open();
    await cache.set({ key: 'other', data: 0, tags: ['t'] });
    expect(await cache.get({ tags: ['*'] })).toEqual([]);
    await cache.set({ key: 'k', data: 1, tags: ['*', 't'] });
    expect(await cache.get({ key: 'k' })).toBe(1);
    expect(await cache.get({ tags: ['*'] })).toEqual([1]);
    await cache.clear({ tags: ['t'] });
    expect(await cache.get({ key: 'k' })).toBeNull();
  });

  test('retagging leaves the old tag (caching-redis: a retagged entry stays in the old tag)', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data: 1, tags: ['a', 'b'] });
    await two.set({ key: 'k', data: 2, tags: ['b', 'c'] });
    expect(await one.get({ tags: ['a'] })).toEqual([]);
    expect(await one.get({ tags: ['b'] })).toEqual([2]);
    expect(await one.get({ tags: ['c'] })).toEqual([2]);
    await one.clear({ tags: ['a'] });
    expect(await two.get({ key: 'k' })).toBe(2);
    await two.set({ key: 'k', data: 3 });
    await one.clear({ tags: ['b', 'c'] });
    expect(await two.get({ key: 'k' })).toBe(3);
    expect(await two.get({ tags: ['a', 'b', 'c'] })).toEqual([]);
  });

  test('setting again replaces autoInvalidate, both ways (caching-redis: re-setting keeps the old one)', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'on', data: 1, tags: ['t'], options: { autoInvalidate: false } });
    await two.set({ key: 'on', data: 2, tags: ['t'] });
    await one.set({ key: 'off', data: 1, tags: ['t'] });
    await two.set({ key: 'off', data: 2, tags: ['t'], options: { autoInvalidate: false } });
    await one.clear({ tags: ['t'], options: { autoInvalidate: true } });
    expect(await two.get({ key: 'on' })).toBeNull();
    expect(await two.get({ key: 'off' })).toBe(2);
  });

  test('an entry cleared by key, or expired, leaves the lists of its tags', async () => {
    const cache = open();
    await cache.set({ key: 'a', data: 1, tags: ['t'] });
    await cache.set({ key: 'b', data: 2, tags: ['t'] });
    await cache.clear({ key: 'a' });
    expect(await cache.get({ tags: ['t'] })).toEqual([2]);
    await cache.set({ key: 'a', data: 3, tags: ['t'] });
    expect((await cache.get({ tags: ['t'] })).sort()).toEqual([2, 3]);
  });

  test('a tag of two thousand entries is listed in full', async () => {
    const cache = open();
    const all = Array.from({ length: 2_000 }, (_, n) => n);
    await Promise.all(all.map((n) => cache.set({ key: `k${n}`, data: n, tags: ['t'] })));
    const listed = await open().get({ tags: ['t'] });
    expect(listed.sort((a: number, b: number) => a - b)).toEqual(all);
    await cache.clear({ tags: ['t'] });
    expect(await cache.get({ tags: ['t'] })).toEqual([]);
  });

  test('writers of one tag at the same time lose nothing (the tutorial: read-modify-write of a key list loses updates)', async () => {
    const caches = [open(), open(), open(), open()];
    await Promise.all(
      caches.flatMap((cache, c) =>
        Array.from({ length: 100 }, (_, n) =>
          cache.set({ key: `k${c}-${n}`, data: `${c}-${n}`, tags: ['t'] }),
        ),
      ),
    );
    expect(await caches[0]?.get({ tags: ['t'] })).toHaveLength(400);
    await caches[3]?.clear({ tags: ['t'] });
    for (let n = 0; n < 100; n++) expect(await caches[1]?.get({ key: `k2-${n}` })).toBeNull();
  });

  test('a tag takes more keys than fit in 1 MB (the tutorial: a key list per tag meets the 1 MB limit)', async () => {
    const cache = open();
    const keys = Array.from({ length: 6_000 }, (_, n) => `${n}-${'k'.repeat(200)}`);
    await Promise.all(keys.map((key, n) => cache.set({ key, data: n, tags: ['t'] })));
    expect(await cache.get({ key: keys[5_999] as string })).toBe(5_999);
    expect(await cache.get({ key: keys[0] as string })).toBe(0);
    await cache.clear({ tags: ['t'] });
    expect(await Promise.all(keys.map((key) => cache.get({ key })))).toEqual(keys.map(() => null));
  });
}
