// A real shop's lists: an entry has thousands of tags, a clear names tens of thousands.

import { expect, test } from 'vitest';
import { opener, type StoreUnderTest } from './stores.js';

/** Eight bytes each: together with their hashes well below memcached's item limit of 1 MB. */
const TAGS = Array.from({ length: 10_000 }, (_, n) => `t${String(n).padStart(7, '0')}`);

/** 25,000, each twice, and never beside each other. */
const NAMES = Array.from({ length: 25_000 }, (_, n) => `Product:prod_${n % 12_500}`);

export function wide(store: StoreUnderTest): void {
  const open = opener(store);

  test('an entry with 10,000 tags is cleared by any one of them', async () => {
    const [one, two] = [open(), open()];
    for (const n of [0, 1, 127, 128, 129, 255, 256, 4_999, 9_998, 9_999]) {
      const data = { page: n };
      await one.set({ key: 'list', data, tags: TAGS });
      await one.set({ key: 'page', data, tags: TAGS.filter((_, other) => other !== n) });
      for (const cache of [one, two]) {
        expect(await cache.get({ key: 'list' })).toEqual(data);
        expect(await cache.get({ key: 'page' })).toEqual(data);
      }
      await two.clear({ tags: [TAGS[n] as string] });
      for (const cache of [one, two]) {
        expect(await cache.get({ key: 'list' })).toBeNull();
        expect(await cache.get({ key: 'page' })).toEqual(data);
      }
    }
  });

  test('an entry with 10,000 tags is cleared by one of them for automatic invalidation, unless it is kept from it', async () => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'auto', data: 1, tags: TAGS });
    await one.set({ key: 'kept', data: 2, tags: TAGS, options: { autoInvalidate: false } });
    await two.clear({ tags: [TAGS[9_000] as string], options: { autoInvalidate: true } });
    expect(await one.get({ key: 'auto' })).toBeNull();
    expect(await one.get({ key: 'kept' })).toBe(2);
    await two.clear({ tags: [TAGS[1] as string] });
    expect(await one.get({ key: 'kept' })).toBeNull();
  });

  test('ten thousand times one tag is one tag', async () => {
    const [one, two] = [open(), open()];
    const tags = Array.from({ length: 10_000 }, (_, n) => (n % 2 === 0 ? 'even' : 'odd'));
    await one.set({ key: 'k', data: 1, tags });
    await one.set({ key: 'other', data: 2, tags: ['even', 'even'] });
    expect(await two.get({ key: 'k' })).toBe(1);
    expect(await two.get({ tags: ['odd'] })).toEqual([1]);
    expect((await two.get({ tags })).sort()).toEqual([1, 2]);
    await two.clear({ tags: ['odd', 'odd'] });
    expect(await one.get({ key: 'k' })).toBeNull();
    expect(await one.get({ key: 'other' })).toBe(2);
  });

  test('a clear of 25,000 names with repeats ends the entries that carry any of them, and no other', async () => {
    const [one, two] = [open(), open()];
    const named = [0, 1, 9_999, 10_000, 12_499].map((n) => `Product:prod_${n}`);
    await Promise.all(named.map((tag) => one.set({ key: tag, data: tag, tags: ['Product:list', tag] })));
    await one.set({ key: 'list', data: named, tags: [...TAGS, named[2] as string] });
    await one.set({ key: 'spared', data: 'spared', tags: [...TAGS, 'Product:prod_12500'] });
    const keys = [...named, 'list', 'spared'];
    const seen = () => Promise.all([one, two].flatMap((cache) => keys.map((key) => cache.get({ key }))));
    const before = [...named, named, 'spared'];
    expect(await seen()).toEqual([...before, ...before]);
    await two.clear({ tags: NAMES });
    const after = keys.map((key) => (key === 'spared' ? 'spared' : null));
    expect(await seen()).toEqual([...after, ...after]);
  });

  test('a set of what was read before a clear of 25,000 names is not served after it', async () => {
    const [reader, writer] = [open(), open()];
    expect(await reader.get({ key: 'list' })).toBeNull();
    await writer.clear({ tags: NAMES });
    const tags = [...TAGS, 'Product:prod_12499'];
    await reader.set({ key: 'list', data: 'read before', tags });
    expect(await writer.get({ key: 'list' })).toBeNull();
    await writer.set({ key: 'list', data: 'read after', tags });
    expect(await reader.get({ key: 'list' })).toBe('read after');
  });

  test('long tags are tags, each its own', async () => {
    const [one, two] = [open(), open()];
    const stem = 'é'.repeat(100_000);
    await one.set({ key: 'a', data: 1, tags: [`${stem}a`] });
    await one.set({ key: 'b', data: 2, tags: [`${stem}b`] });
    expect([await two.get({ key: 'a' }), await two.get({ key: 'b' })]).toEqual([1, 2]);
    await two.clear({ tags: [`${stem}a`] });
    expect([await one.get({ key: 'a' }), await one.get({ key: 'b' })]).toEqual([null, 2]);
  });
}
