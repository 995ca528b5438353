// What goes in comes out, whatever it is and however it was packed.

import { describe, expect, test } from 'vitest';
import { opener, type StoreUnderTest } from './stores.js';

/** Text that neither compresses to nothing nor stays as it is; the same for a seed at every run. */
export function prose(length: number, seed = 1): string {
  let state = seed;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += `${(state >>> 8).toString(36)} lorem `;
  }
  return text.slice(0, length);
}

/** Letters without a pattern: no codec gains anything. */
export function noise(length: number, seed = 1): string {
  let state = seed;
  const codes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    codes[i] = 35 + ((state >>> 16) % 57);
  }
  return Buffer.from(codes).toString('latin1');
}

/** A logger, and the warnings that it was told. */
function listening() {
  const warnings: string[] = [];
  const none = () => {};
  const warn = (line: string) => {
    warnings.push(line);
  };
  return { logger: { debug: none, info: none, warn, error: none }, warnings };
}

export function values(store: StoreUnderTest): void {
  const open = opener(store);
  const large = [100_000, 5_000_000];

  test.each([
    ['zero', 0],
    ['minus zero and a half', -0.5],
    ['false', false],
    ['an empty string', ''],
    ['an empty array', []],
    ['an empty object', {}],
    ['a nested one', { a: [{ b: null }, [], ''], c: { d: false } }],
    ['a long number', 9_007_199_254_740_991],
    ['latin-1', 'café ÿ'],
    ['other scripts', 'Куртка 夹克 سترة 10 €'],
    ['emoji and combining marks', '🐋👩‍👩‍👧 e\u0301'],
    ['control characters', 'a\0b\r\nEND\r\n\u2028\u2029'],
    ['text that looks like a reply', '*3\r\n$-1\r\nVALUE k 0 3\r\n'],
    ['a key called __proto__', JSON.parse('{"__proto__":{"x":1},"y":2}')],
  ])('%s is a value', async (_, data) => {
    const [one, two] = [open(), open()];
    await one.set({ key: 'k', data, tags: ['t'] });
    expect(await one.get({ key: 'k' })).toEqual(data);
    expect(await two.get({ key: 'k' })).toEqual(data);
    expect(await two.get({ tags: ['t'] })).toEqual([data]);
  });

  test('null is a value: among the values of a tag, and a set that replaces', async () => {
    const cache = open();
    await cache.set({ key: 'k', data: 1, tags: ['t'] });
    await cache.set({ key: 'k', data: null, tags: ['t'] });
    expect(await cache.get({ key: 'k' })).toBeNull();
    expect(await cache.get({ tags: ['t'] })).toEqual([null]);
  });

  test("a value got is the caller's own: changing it changes nothing in the cache", async () => {
    const cache = open();
    const data = { list: [1] };
    await cache.set({ key: 'k', data });
    data.list.push(2);
    const got = await cache.get({ key: 'k' });
    got.list.push(3);
    expect(await cache.get({ key: 'k' })).toEqual({ list: [1] });
  });

  test('as JSON.stringify has it: dates become text, undefined members go', async () => {
    const cache = open();
    const at = new Date(1_700_000_000_000);
    await cache.set({ key: 'k', data: { at, gone: undefined, list: [undefined] } });
    expect(await cache.get({ key: 'k' })).toEqual({ at: at.toISOString(), list: [null] });
  });

  test.each(large)('%i characters, packed and not, of one byte and more each', async (length) => {
    const [packed, plain] = [open(), open({ compression: false })];
    const texts = { prose: prose(length), noise: noise(length), wide: `€${prose(Math.floor(length / 4))}` };
    for (const [key, data] of Object.entries(texts)) {
      await packed.set({ key, data });
      expect((await plain.get({ key })) === data).toBe(true);
      await plain.set({ key, data: [data] });
      expect((await packed.get({ key }))[0] === data).toBe(true);
    }
  });

  test('a value over maxValueBytes is not stored, leaves no older value, and is told of once, with what to do', async () => {
    const { logger, warnings } = listening();
    const [cache, other] = [open({ maxValueBytes: 10_000 }, logger), open()];
    await cache.set({ key: 'k', data: 'older' });
    await cache.set({ key: 'k', data: prose(10_001) });
    await cache.set({ key: 'k2', data: prose(10_001) });
    expect(warnings).toEqual([expect.stringMatching(/"k" has \d+ bytes.*10.?000.*maxValueBytes/)]);
    expect(cache.stats().errors).toBe(2);
    expect(await cache.get({ key: 'k' })).toBeNull();
    expect(await other.get({ key: 'k' })).toBeNull();
    if (!store.raw) return;
    // Nor is more read: what another writer's settings let through is a miss here.
    await other.set({ key: 'k', data: prose(20_000) });
    expect((await cache.get({ key: 'k' })) === null).toBe(true);
  });

  if (store.kind === 'memcached') {
    test("a value over the server's 1 MB is stored, and cleared, as any other", async () => {
      const { logger, warnings } = listening();
      const [cache, other] = [open({}, logger), open()];
      await cache.set({ key: 'k', data: 'older', tags: ['t'] });
      const data = noise(3_000_000);
      await cache.set({ key: 'k', data, tags: ['t'] });
      expect((await other.get({ key: 'k' })) === data).toBe(true);
      expect((await other.get({ tags: ['t'] }))[0] === data).toBe(true);
      await other.clear({ tags: ['t'] });
      expect(await cache.get({ key: 'k' })).toBeNull();
      await cache.set({ key: 'k', data });
      expect((await other.get({ key: 'k' })) === data).toBe(true);
      await other.clear({ key: 'k' });
      expect(await cache.get({ key: 'k' })).toBeNull();
      expect(warnings).toEqual([]);
    });

    test('what fits once it is packed is stored', async () => {
      const cache = open();
      const data = 'many words '.repeat(300_000);
      await cache.set({ key: 'k', data });
      expect((await cache.get({ key: 'k' })) === data).toBe(true);
    });
  }

  describe('compression', () => {
    const settings = {
      off: false,
      default: true,
      lz4: { algorithm: 'lz4', threshold: 100 },
      'zstd 19': { algorithm: 'zstd', level: 19, threshold: 0 },
      'level 1': { level: 1, threshold: 100 },
      'level 9': { level: 9, threshold: 100 },
      'deflate 6': { algorithm: 'deflate', threshold: 1_000 },
    } as const;
    const data = { html: prose(20_000), wide: '€'.repeat(3_000) };

    test.each(Object.entries(settings))(
      'what %s wrote every other setting reads',
      async (name, compression) => {
        const writer = open({ compression });
        await writer.set({ key: name, data, tags: ['t'] });
        for (const other of Object.values(settings)) {
          expect(await open({ compression: other }).get({ key: name })).toEqual(data);
        }
      },
    );

    if (store.raw) {
      const { raw } = store;
      test.each(Object.entries(settings))(
        '%s decides how many bytes are stored',
        async (name, compression) => {
          const prefix = `c${Math.random().toString(36).slice(2)}`;
          const cache = open({ prefix, compression });
          await cache.set({ key: 'k', data });
          const length = (await raw.get(`${prefix}::k`))?.length ?? 0;
          const text = Buffer.byteLength(JSON.stringify(data));
          if (name === 'off') expect(length).toBeGreaterThan(text);
          else expect(length).toBeLessThan(text * 0.75);
        },
      );

      test('what would only grow is stored as it is', async () => {
        const prefix = `c${Math.random().toString(36).slice(2)}`;
        const cache = open({ prefix, compression: { threshold: 0, level: 9 } });
        await cache.set({ key: 'k', data: 'Zq' });
        expect((await raw.get(`${prefix}::k`))?.includes('"Zq"')).toBe(true);
      });
    }

    test('stats tell bytes given and bytes kept', async () => {
      const cache = open({ compression: { algorithm: 'zstd', threshold: 100 } });
      await cache.set({ key: 'k', data: 'a'.repeat(50_000) });
      const { bytesIn, bytesStored } = cache.stats();
      expect(bytesIn).toBe(50_002);
      expect(bytesStored).toBeLessThan(1_000);
    });
  });
}
