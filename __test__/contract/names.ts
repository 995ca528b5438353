// Prefixes, keys and tags: none reaches into another, whatever they are made of.

import { describe, expect, test } from 'vitest';
import { opener, type StoreUnderTest, uniquePrefix } from './stores.js';

const ODD = [
  'plain',
  'with space',
  'tab\tand\nnewline\r\n',
  'ключ 键 🔑',
  'a:b:c',
  '!e',
  '!t:x',
  '%3A%25',
  '*',
  '?[a-z]*\\',
  '{slot}',
  '__proto__',
  'constructor',
  'x'.repeat(249),
  'x'.repeat(250),
  'x'.repeat(251),
  'y'.repeat(4_000),
  '\u0000\u0001\u007f',
  'é'.repeat(200),
  '\u2028\u00a0',
];

export function names(store: StoreUnderTest): void {
  const open = opener(store);

  test('odd and long keys are keys, each its own', async () => {
    const [one, two] = [open(), open()];
    await Promise.all(ODD.map((key, n) => one.set({ key, data: n, tags: [`t${n % 2}`] })));
    expect(await Promise.all(ODD.map((key) => two.get({ key })))).toEqual(ODD.map((_, n) => n));
    expect((await two.get({ tags: ['t0'] })).sort((a: number, b: number) => a - b)).toEqual(
      ODD.map((_, n) => n).filter((n) => n % 2 === 0),
    );
    await two.clear({ key: ODD[2] as string });
    await two.clear({ key: 'y'.repeat(4_000) });
    const left = await Promise.all(ODD.map((key) => one.get({ key })));
    expect(left).toEqual(ODD.map((key, n) => (n === 2 || key.startsWith('yy') ? null : n)));
  });

  test('odd and long tags are tags, each its own', async () => {
    const [one, two] = [open(), open()];
    const tags = ODD.filter((tag) => tag !== '*');
    await Promise.all(tags.map((tag, n) => one.set({ key: `k${n}`, data: n, tags: [tag] })));
    for (const [n, tag] of tags.entries()) expect(await two.get({ tags: [tag] })).toEqual([n]);
    for (const [n, tag] of tags.entries()) {
      await two.clear({ tags: [tag] });
      expect(await one.get({ key: `k${n}` })).toBeNull();
      if (n + 1 < tags.length) expect(await one.get({ key: `k${n + 1}` })).toBe(n + 1);
    }
  });

  test('a tag with a star in it is a name, not a pattern', async () => {
    const cache = open();
    await cache.set({ key: 'list', data: 1, tags: ['Product:list:*'] });
    await cache.set({ key: 'one', data: 2, tags: ['Product:list:1'] });
    await cache.clear({ tags: ['Product:list:*'] });
    expect(await cache.get({ key: 'list' })).toBeNull();
    expect(await cache.get({ key: 'one' })).toBe(2);
  });

  test('a tag given twice is one; fifty tags are fifty', async () => {
    const cache = open();
    const tags = Array.from({ length: 50 }, (_, n) => `t${n}`);
    await cache.set({ key: 'twice', data: 1, tags: ['t', 't'] });
    await cache.set({ key: 'many', data: 2, tags });
    expect(await cache.get({ tags: ['t', 't'] })).toEqual([1]);
    expect(await cache.get({ tags })).toEqual([2]);
    await cache.clear({ tags: ['t49'] });
    expect(await cache.get({ key: 'many' })).toBeNull();
    expect(await cache.get({ key: 'twice' })).toBe(1);
  });

  describe('prefixes', () => {
    const stem = uniquePrefix('p');
    const prefixes = [
      stem,
      `${stem}x`,
      `${stem}:a`,
      `${stem}:a:b`,
      `${stem}::a`,
      `${stem}!l:a`,
      `${stem}%3Aa`,
      `${stem}!`,
      `${stem}!t`,
      `${stem}*`,
      `${stem}?`,
      `${stem}[a-z]`,
      `${stem} with space`,
      `${stem}é€`,
      `${stem}\n`,
    ];

    test("none sees, clears or lists another's (caching-redis: the prefix is not escaped in SCAN MATCH)", async () => {
      const caches = prefixes.map((prefix) => open({ prefix }));
      const keys = ['k', 'a:k', ':k', '!e', 't:t', 'a::k', ':a::k', 'a:b::k', ':b::k'];
      await Promise.all(
        caches.flatMap((cache, n) => keys.map((key) => cache.set({ key, data: `${n} ${key}`, tags: ['t'] }))),
      );
      for (const [n, cache] of caches.entries()) {
        for (const key of keys) expect(await cache.get({ key })).toBe(`${n} ${key}`);
        expect((await cache.get({ tags: ['t'] })).sort()).toEqual(keys.map((key) => `${n} ${key}`).sort());
      }
      for (const [n, cache] of caches.entries()) {
        await (n % 3 === 0
          ? cache.clear({ tags: ['*'] })
          : n % 3 === 1
            ? cache.clear({ tags: ['t'] })
            : cache.clear({ tags: ['t'], options: { autoInvalidate: true } }));
        for (const [other, one] of caches.entries()) {
          expect(await one.get({ key: 'a:k' })).toBe(other <= n ? null : `${other} a:k`);
        }
      }
    });

    test('colons at its end are the separator', async () => {
      const prefix = uniquePrefix();
      await open({ prefix: `${prefix}:` }).set({ key: 'k', data: 1 });
      for (const same of [prefix, `${prefix}::`]) {
        expect(await open({ prefix: same }).get({ key: 'k' })).toBe(1);
      }
    });

    test("an empty prefix is an error that says why (caching-redis: empty prefix and * delete other applications' keys)", () => {
      for (const prefix of ['', ':']) {
        expect(() => store.open({ prefix })).toThrow(
          expect.objectContaining({ code: 'CACHALOT_CONFIG', message: expect.stringMatching(/prefix/i) }),
        );
      }
    });

    if (store.raw) {
      const { raw } = store;
      test("clearing * leaves other applications' keys alone", async () => {
        const prefix = uniquePrefix();
        const foreign = [`${prefix}`, `${prefix}:k`, `${prefix}x::k`, `${prefix}:x::k`, `other-${prefix}::k`];
        await Promise.all(foreign.map((key) => raw.put(key, Buffer.from('theirs'))));
        const cache = open({ prefix });
        await cache.set({ key: 'k', data: 1, tags: ['t'] });
        await cache.clear({ tags: ['*'] });
        expect(await cache.get({ key: 'k' })).toBeNull();
        for (const key of foreign) expect((await raw.get(key))?.toString()).toBe('theirs');
        await raw.remove(foreign);
      });

      test.each([
        { more: ':v2:eu_1/a-b', stands: ':v2:eu_1/a-b' },
        { more: '!a:b%', stands: '%21a:b%25' },
      ])('everything stored begins with the prefix as written: "$more"', async ({ more, stands }) => {
        const prefix = uniquePrefix();
        const cache = open({ prefix: `${prefix}${more}` });
        await cache.set({ key: 'k', data: 1, tags: ['t'] });
        await cache.set({ key: 'kept', data: 1, tags: ['t2'] });
        await cache.clear({ key: 'k', tags: ['t'] });
        const keys = await raw.keys(prefix);
        expect(keys).toContain(`${prefix}${stands}::kept`);
        for (const key of keys) {
          expect(key.startsWith(`${prefix}${stands}::`) || key.startsWith(`${prefix}${stands}!`)).toBe(true);
        }
      });
    }
  });
}
