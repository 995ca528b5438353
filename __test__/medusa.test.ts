// The Medusa providers over process memory: the contract's edges. What every backend must do
// alike is in the contract suite.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryCachingProvider } from '../js/adapters/medusa/index.js';

const open: MemoryCachingProvider[] = [];

function provider(
  options: ConstructorParameters<typeof MemoryCachingProvider>[1] = {},
): MemoryCachingProvider {
  const made = new MemoryCachingProvider({ logger: {} }, options);
  open.push(made);
  return made;
}

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((made) => made.close()));
});

describe('get', () => {
  it('gives null for a miss, for neither key nor tags, and for an empty key as if none was given', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 1, tags: ['t'] });
    expect(await cache.get({ key: 'other' })).toBeNull();
    expect(await cache.get({})).toBeNull();
    expect(await cache.get({ tags: [] })).toBeNull();
    expect(await cache.get(undefined as never)).toBeNull();
    expect(await cache.get({ key: '' })).toBeNull();
    expect(await cache.get({ key: '', tags: ['t'] })).toEqual([1]);
  });

  it('lets the key win over tags', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 'value', tags: ['t'] });
    expect(await cache.get({ key: 'k', tags: ['t'] })).toBe('value');
    expect(await cache.get({ key: 'other', tags: ['t'] })).toBeNull();
  });

  it('gives every live value once, whichever of the tags it carries, and [] if there is none', async () => {
    const cache = provider();
    await cache.set({ key: 'a', data: { n: 1 }, tags: ['x', 'y', 'x'] });
    await cache.set({ key: 'b', data: { n: 2 }, tags: ['y'] });
    const values = await cache.get({ tags: ['x', 'y', 'x'] });
    expect(values).toHaveLength(2);
    expect(values).toEqual(expect.arrayContaining([{ n: 1 }, { n: 2 }]));
    expect(await cache.get({ tags: ['unknown'] })).toEqual([]);
  });

  it.each([null, false, 0, '', [], {}, 'text', -1.5, [null], { a: { b: [1, 'é', '\u{1f433}'] } }])(
    'gives back %j as it was stored',
    async (data) => {
      const cache = provider();
      await cache.set({ key: 'k', data, tags: ['t'] });
      expect(await cache.get({ key: 'k' })).toStrictEqual(data);
      expect(await cache.get({ tags: ['t'] })).toStrictEqual([data]);
    },
  );
});

describe('set', () => {
  it('replaces value, tags and options together', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 1, tags: ['old'], options: { autoInvalidate: false } });
    await cache.set({ key: 'k', data: 2, tags: ['new'] });
    expect(await cache.get({ tags: ['old'] })).toEqual([]);
    await cache.clear({ tags: ['old'] });
    expect(await cache.get({ key: 'k' })).toBe(2);
    await cache.clear({ tags: ['new'], options: { autoInvalidate: true } });
    expect(await cache.get({ key: 'k' })).toBeNull();
  });

  const circular: Record<string, unknown> = {};
  circular.self = circular;

  it.each<[string, object, RegExp]>([
    ['undefined data', { data: undefined }, /data: expected a value that JSON can hold, got undefined/],
    ['a function', { data: () => 1 }, /data.*a function/],
    ['a symbol', { data: Symbol('s') }, /data.*a symbol/],
    ['a BigInt', { data: 1n }, /data.*a BigInt/],
    ['a BigInt inside', { data: { n: 1n } }, /data.*BigInt/],
    ['a cycle', { data: circular }, /data.*circular/],
    ['NaN', { data: Number.NaN }, /data.*NaN/],
    ['a Map', { data: new Map() }, /data.*a Map/],
    ['a Promise', { data: Promise.resolve(1) }, /data.*await it/],
    ['toJSON without a result', { data: { toJSON: () => undefined } }, /data.*toJSON/],
    ['no key', { key: undefined }, /key: expected a non-empty string, got nothing/],
    ['a number as key', { key: 7 }, /key.*got 7/],
    ['an empty key', { key: '' }, /key.*an empty string/],
    ['half a character as key', { key: 'a\ud800' }, /key.*surrogate/],
    ['a negative ttl', { ttl: -1 }, /ttl: expected a finite number of seconds, 0 or more, got -1/],
    ['NaN as ttl', { ttl: Number.NaN }, /ttl.*NaN/],
    ['an infinite ttl', { ttl: Number.POSITIVE_INFINITY }, /ttl.*Infinity/],
    ['a string as ttl', { ttl: '60' }, /ttl.*"60"/],
    ['null as ttl', { ttl: null }, /ttl.*null/],
    ['a key that is too long', { key: 'é'.repeat(32_768) }, /key.*65535 bytes.*65536/],
    ['tags that are no array', { tags: 't' }, /tags.*"t"/],
    ['a tag that is no string', { tags: ['t', 7] }, /tags.*one with 7/],
    ['half a character as tag', { tags: ['t', 'a\ud800'] }, /tags.*surrogate/],
    // biome-ignore lint/suspicious/noThenProperty: a query builder, say, is such an object.
    ['a thenable', { data: { then: () => 1 } }, /data.*promise; await it first/],
  ])('refuses %s, and stores nothing', async (_, wrong, said) => {
    const cache = provider();
    await cache.set({ key: 'k', data: 'before' });
    const call = cache.set({ key: 'k', data: 'after', ...wrong } as never);
    await expect(call).rejects.toMatchObject({
      code: 'CACHALOT_CONFIG',
      message: expect.stringMatching(said),
    });
    expect(await cache.get({ key: 'k' })).toBe('before');
    expect(await cache.get({ tags: ['t'] })).toEqual([]);
  });

  it('stores nothing for a ttl of 0, and leaves no older value', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 1, tags: ['t'] });
    await cache.set({ key: 'k', data: 2, tags: ['t'], ttl: 0 });
    expect(await cache.get({ key: 'k' })).toBeNull();
    expect(await cache.get({ tags: ['t'] })).toEqual([]);
  });

  it('keeps a value for its ttl in seconds, and for the provider’s default without one', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    const cache = provider({ ttl: 5 });
    await cache.set({ key: 'short', data: 1, ttl: 0.05 });
    await cache.set({ key: 'long', data: 1, ttl: 10 });
    await cache.set({ key: 'default', data: 1, ttl: undefined });
    const alive = async () => {
      const found: string[] = [];
      for (const key of ['short', 'long', 'default']) {
        if ((await cache.get({ key })) !== null) {
          found.push(key);
        }
      }
      return found;
    };
    expect(await alive()).toEqual(['short', 'long', 'default']);
    vi.setSystemTime(1_700_000_000_051);
    expect(await alive()).toEqual(['long', 'default']);
    vi.setSystemTime(1_700_000_005_001);
    expect(await alive()).toEqual(['long']);
    vi.setSystemTime(1_700_000_010_001);
    expect(await alive()).toEqual([]);
  });

  it('takes an hour for a default', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    const cache = provider();
    await cache.set({ key: 'k', data: 1 });
    vi.setSystemTime(1_700_003_599_000);
    expect(await cache.get({ key: 'k' })).toBe(1);
    vi.setSystemTime(1_700_003_600_001);
    expect(await cache.get({ key: 'k' })).toBeNull();
  });

  it('takes the largest ttl there is', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 1, ttl: Number.MAX_VALUE });
    expect(await cache.get({ key: 'k' })).toBe(1);
  });
});

describe('clear', () => {
  it('refuses what it cannot clear as a whole, instead of clearing nothing in silence', async () => {
    const cache = provider();
    await cache.set({ key: 'k', data: 'old', tags: ['t'] });
    await expect(cache.clear({ key: 'k', tags: ['t', '\udc00'] })).rejects.toThrow(/tags.*surrogate/);
    // Longer than the longest string that V8 can make.
    const long = Array(9_000).fill('x'.repeat(65_535));
    const [refused, cleared] = await Promise.allSettled([
      cache.clear({ tags: long }),
      cache.clear({ tags: ['t'] }),
    ]);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'CACHALOT_CONFIG',
        message: expect.stringMatching(/tags: expected at most 268435456 characters in all/),
      },
    });
    expect(cleared.status).toBe('fulfilled');
    expect(await cache.get({ key: 'k' })).toBeNull();
  });

  async function filled(): Promise<MemoryCachingProvider> {
    const cache = provider();
    await cache.set({ key: 'absent', data: 1, tags: ['t'] });
    await cache.set({ key: 'undefined', data: 2, tags: ['t'], options: { autoInvalidate: undefined } });
    await cache.set({ key: 'true', data: 3, tags: ['t'], options: { autoInvalidate: true } });
    await cache.set({ key: 'false', data: 4, tags: ['t'], options: { autoInvalidate: false } });
    await cache.set({ key: 'untagged', data: 5 });
    return cache;
  }
  const all = ['absent', 'undefined', 'true', 'false', 'untagged'];

  it.each<[string, object, string[]]>([
    ['nothing at all', {}, all],
    ['no tags', { tags: [] }, all],
    ['an empty key', { key: '' }, all],
    ['an unknown tag', { tags: ['u'] }, all],
    ['an unknown key', { key: 'u' }, all],
    ['a key', { key: 'true' }, ['absent', 'undefined', 'false', 'untagged']],
    ['a tag', { tags: ['t'] }, ['untagged']],
    ['a tag twice', { tags: ['t', 't'] }, ['untagged']],
    ['undefined options', { tags: ['t'], options: undefined }, ['untagged']],
    ['autoInvalidate: true', { tags: ['t'], options: { autoInvalidate: true } }, ['false', 'untagged']],
    ['autoInvalidate: false', { tags: ['t'], options: { autoInvalidate: false } }, all],
    ['autoInvalidate: undefined', { tags: ['t'], options: { autoInvalidate: undefined } }, all],
    ['empty options', { tags: ['t'], options: {} }, all],
    ['*', { tags: ['*'] }, []],
    ['* and autoInvalidate: true', { tags: ['*'], options: { autoInvalidate: true } }, ['false']],
    ['a key and a tag', { key: 'untagged', tags: ['t'] }, []],
    [
      'a key, a tag and autoInvalidate: true',
      { key: 'untagged', tags: ['t'], options: { autoInvalidate: true } },
      ['false'],
    ],
    [
      'a key and a tag with other options',
      { key: 'false', tags: ['t'], options: {} },
      ['absent', 'undefined', 'true', 'untagged'],
    ],
  ])('by %s', async (_, request, left) => {
    const cache = await filled();
    await cache.clear(request);
    const found: string[] = [];
    for (const key of all) {
      if ((await cache.get({ key })) !== null) {
        found.push(key);
      }
    }
    expect(found).toEqual(left);
  });

  it('refuses a key or tag that is no string', async () => {
    const cache = await filled();
    await expect(cache.clear({ key: 7 as never })).rejects.toMatchObject({ code: 'CACHALOT_CONFIG' });
    await expect(cache.clear({ key: 'true', tags: [undefined] as never })).rejects.toMatchObject({
      code: 'CACHALOT_CONFIG',
    });
    await expect(cache.get({ key: {} as never })).rejects.toMatchObject({ code: 'CACHALOT_CONFIG' });
    expect(await cache.get({ key: 'true' })).toBe(3);
  });
});

describe('stats and close', () => {
  it('counts hits, misses and sets', async () => {
    const cache = provider();
    await cache.get({ key: 'k' });
    await cache.set({ key: 'k', data: 1 });
    await cache.get({ key: 'k' });
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, sets: 1 });
  });

  it('closes once, and rejects what comes after', async () => {
    const cache = provider();
    await Promise.all([cache.close(), cache.close()]);
    for (const call of [
      cache.get({ key: 'k' }),
      cache.set({ key: 'k', data: 1 }),
      cache.clear({ key: 'k' }),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
    }
  });

  it('refuses a value over maxValueBytes, and leaves no older value', async () => {
    const cache = provider({ maxValueBytes: 1000 });
    await cache.set({ key: 'k', data: 1 });
    await cache.set({ key: 'k', data: 'x'.repeat(2000) });
    expect(await cache.get({ key: 'k' })).toBeNull();
  });
});
