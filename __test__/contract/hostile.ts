// Whatever lies in the server in the place of ours is a miss: never an error, never garbage, never old data.

import { expect, test } from 'vitest';
import type { MemcachedRaw } from './raw-memcached.js';
import type { RedisRaw } from './raw-redis.js';
import { opener, type Raw, type StoreUnderTest, uniquePrefix } from './stores.js';

/** The same numbers at every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function hostile(store: StoreUnderTest & { raw: Raw }): void {
  const open = opener(store);
  const { raw } = store;

  test('one flipped bit anywhere in a stored entry is a miss (caching-redis: returned garbage for one flipped bit)', async () => {
    const prefix = uniquePrefix();
    const [writer, reader] = [open({ prefix }), open({ prefix })];
    for (const data of ['small', 'packed '.repeat(600)]) {
      await writer.set({ key: 'k', data, tags: ['t'] });
      const good = (await raw.get(`${prefix}::k`)) as Buffer;
      await raw.put(`${prefix}::k`, good);
      expect(await reader.get({ key: 'k' })).toBe(data);
      for (let at = 0; at < good.length; at++) {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] as number) ^ (1 << (at % 8));
        await raw.put(`${prefix}::k`, bad);
        expect(await reader.get({ key: 'k' })).toBeNull();
      }
    }
    expect(reader.stats().corrupt).toBeGreaterThan(0);
    await open({ prefix }).set({ key: 'k', data: 'mended', tags: ['t'] });
    expect(await writer.get({ key: 'k' })).toBe('mended');
  });

  test('truncated entries are misses', async () => {
    const prefix = uniquePrefix();
    const [writer, reader] = [open({ prefix }), open({ prefix })];
    await writer.set({ key: 'k', data: { html: 'packed '.repeat(600) }, tags: ['t', 'u'] });
    const good = (await raw.get(`${prefix}::k`)) as Buffer;
    await raw.put(`${prefix}::k`, good);
    expect(await reader.get({ key: 'k' })).not.toBeNull();
    for (let length = 0; length < good.length; length++) {
      await raw.put(`${prefix}::k`, good.subarray(0, length));
      expect(await reader.get({ key: 'k' })).toBeNull();
    }
    await raw.put(`${prefix}::k`, Buffer.concat([good, Buffer.from('x')]));
    expect(await reader.get({ key: 'k' })).toBeNull();
  });

  test('random and hostile bytes are misses, and the next set replaces them', async () => {
    const prefix = uniquePrefix();
    const cache = open({ prefix });
    await cache.set({ key: 'seed', data: 1, tags: ['t'] });
    const roll = random(7);
    const magic = Buffer.from([0xca, 0xc4, 1, 0]);
    const bytes = [
      Buffer.alloc(0),
      Buffer.from('{"data":"from another cache"}'),
      Buffer.from('"text"'),
      Buffer.from('null'),
      Buffer.alloc(100, 0xff),
      Buffer.alloc(100_000, 0xca),
      magic,
      Buffer.concat([magic, Buffer.alloc(60, 0xff)]),
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
      ...Array.from({ length: 150 }, (_, n) => {
        const noise = Buffer.from(
          Array.from({ length: Math.floor(roll() * 200) }, () => Math.floor(roll() * 256)),
        );
        return n % 2 ? noise : Buffer.concat([magic, noise]);
      }),
    ];
    for (const [n, value] of bytes.entries()) {
      await raw.put(`${prefix}::k${n}`, value);
      expect(await cache.get({ key: `k${n}` })).toBeNull();
      await cache.set({ key: `k${n}`, data: n, tags: ['t'] });
      expect(await cache.get({ key: `k${n}` })).toBe(n);
    }
  });

  // Redis holds keys of any length as they are: there is nothing to copy.
  const longNames = store.kind === 'memcached' ? test : () => {};
  longNames('an entry copied to another key of long names is a miss there', async () => {
    const prefix = uniquePrefix();
    const cache = open({ prefix });
    const [one, two] = ['a'.repeat(300), 'b'.repeat(300)];
    await cache.set({ key: one, data: 'of one' });
    const before = await raw.keys(prefix);
    const [held] = before.filter((key) => key.includes('!h:'));
    const stolen = (await raw.get(held as string)) as Buffer;
    await cache.set({ key: two, data: 'of two' });
    const other = (await raw.keys(prefix)).filter(
      (key) => key.includes('!h:') && !before.includes(key),
    )[0] as string;
    await raw.put(other, stolen);
    expect(await cache.get({ key: two })).toBeNull();
    expect(await cache.get({ key: one })).toBe('of one');
  });

  test('garbage in the place of bookkeeping never brings a cleared entry back, and the cache works on', async () => {
    const garbage = [
      '',
      ' ',
      '?',
      '0',
      '-1',
      'x',
      '18446744073709551615',
      '99999999999999999999999',
      '0000000000000001 0 0',
      '0000000000000001 0 0 0',
      'ffffffffffffffff 18446744073709551615 0',
      '\0\0\0\0',
      '1 1',
      'nan nan nan',
      'é'.repeat(50),
    ];
    for (const text of garbage) {
      const prefix = uniquePrefix();
      const [one, two] = [open({ prefix }), open({ prefix })];
      for (const key of ['a', 'b', 'c', 'd']) await one.set({ key, data: key, tags: [`t${key}`] });
      await two.clear({ tags: ['ta'] });
      await two.clear({ tags: ['tb'], options: { autoInvalidate: true } });
      await two.clear({ key: 'c' });
      const books = (await raw.keys(prefix)).filter(
        (key) => key.startsWith(`${prefix}!`) && !key.startsWith(`${prefix}!h:`),
      );
      expect(books.length).toBeGreaterThan(2);
      for (const key of books) await raw.put(key, Buffer.from(text));
      for (const cache of [one, two, open({ prefix })]) {
        for (const key of ['a', 'b', 'c']) expect(await cache.get({ key })).toBeNull();
        expect([null, 'd']).toContain(await cache.get({ key: 'd' }));
        // A list may be empty or whole, and a set or clear may be refused or stored: it must settle, and not lie.
        expect((await cache.get({ tags: ['ta', 'tb', 'tc'] })).filter((one: string) => one !== 'e')).toEqual(
          [],
        );
        await cache
          .set({ key: 'e', data: 'e', tags: ['te', 'ta'] })
          .catch((error) => expect(error.code).toMatch(/^CACHALOT_/));
        for (const key of ['a', 'b', 'c']) expect(await cache.get({ key })).toBeNull();
      }
      for (const cache of [one, two]) await cache.close();
    }
  });

  test('deleting any half of the bookkeeping never brings a cleared entry back', async () => {
    const roll = random(11);
    let deleted = 0;
    if (store.kind === 'memcached') {
      // Its keys are found by going through all that is there, some hundred times: not through what other tests left.
      await (raw as MemcachedRaw).command('flush_all\r\n', /OK\r\n$/);
    }
    for (let trial = 0; trial < 60; trial++) {
      const prefix = uniquePrefix();
      const [one, two] = [open({ prefix }), open({ prefix })];
      const keys = Array.from({ length: 12 }, (_, n) => `k${n}`);
      const put = (key: string, n: number) =>
        one.set({
          key,
          data: key,
          tags: n % 4 === 3 ? [] : [`t${n % 4}`, `u${n % 3}`],
          options: { autoInvalidate: n % 5 !== 0 },
        });
      await Promise.all(keys.map(put));
      // One that missed before the clears and sets after the loss.
      expect(await two.get({ key: 'late' })).toBeNull();
      const cleared = new Set<string>();
      const clearedBy = (test: (n: number) => boolean) =>
        keys.forEach((key, n) => void (test(n) && cleared.add(key)));
      if (trial % 10 === 9) {
        await one.clear({ tags: ['*'] });
        clearedBy(() => true);
      } else {
        await one.clear({ tags: ['t0'] });
        clearedBy((n) => n % 4 === 0);
        await one.clear({ tags: ['u1'], options: { autoInvalidate: true } });
        clearedBy((n) => n % 4 !== 3 && n % 3 === 1 && n % 5 !== 0);
        await one.clear({ key: 'k3' });
        cleared.add('k3');
      }
      const stillGone = async (when: string) => {
        for (const cache of [one, two, open({ prefix })]) {
          const got = await Promise.all(keys.map((key) => cache.get({ key })));
          const back = keys.filter((key, n) => cleared.has(key) && got[n] !== null);
          expect(back, `${when}, trial ${trial}`).toEqual([]);
          keys.forEach((key, n) => void expect([null, key]).toContain(got[n]));
        }
      };
      const lose = async () => {
        const books = (await raw.keys(`${prefix}!`)).filter((key) => !key.startsWith(`${prefix}!h:`));
        const half = books
          .map((key) => ({ key, at: roll() }))
          .sort((a, b) => a.at - b.at)
          .slice(0, Math.ceil(books.length / 2))
          .map(({ key }) => key);
        deleted += half.length;
        await raw.remove(half);
      };
      await stillGone('before');
      await lose();
      await stillGone('after the loss');
      // Bookkeeping comes back into being, at whatever epoch: by sets and by clears of the same names.
      await one.set({ key: 'fresh', data: 1, tags: ['t0', 't1', 't2', 'u0', 'u1', 'u2'] });
      await stillGone('after a set that made records anew');
      await two.set({ key: 'late', data: 'old', tags: ['t0'] });
      expect(await one.get({ key: 'late' })).toBeNull();
      await two.clear({ tags: ['t2'] });
      clearedBy((n) => n % 4 === 2);
      await lose();
      await stillGone('after a second loss');
      await two.set({ key: 'fresh2', data: 1, tags: ['t0', 't2'] });
      await stillGone('at the end');
      await Promise.all([one.close(), two.close()]);
    }
    // Five keys or six on Redis, and more on memcached.
    expect(deleted).toBeGreaterThan(60 * 4);
  }, 60_000);

  if (store.kind === 'redis') {
    const { command } = raw as RedisRaw;

    test("a value of another type at an entry's key is a miss, and a set replaces it", async () => {
      const prefix = uniquePrefix();
      const cache = open({ prefix });
      await cache.set({ key: 'seed', data: 1, tags: ['t'] });
      await command('HSET', `${prefix}::k`, 'field', 'value');
      await command('RPUSH', `${prefix}::l`, 'value');
      expect(
        await Promise.all([cache.get({ key: 'k' }), cache.get({ key: 'seed' }), cache.get({ key: 'l' })]),
      ).toEqual([null, 1, null]);
      await cache.set({ key: 'k', data: 2, tags: ['t'] });
      expect(await cache.get({ key: 'k' })).toBe(2);
    });

    test('a refused command is never taken for success (caching-redis: failed replies inside a pipeline resolve as success)', async () => {
      const prefix = uniquePrefix();
      const cache = open({ prefix });
      await cache.set({ key: 'k', data: 1, tags: ['t'] });
      // Bookkeeping of a type that its commands refuse.
      for (const key of [`${prefix}!e`, `${prefix}!t:t`, `${prefix}!i:t`]) {
        await command('DEL', key);
        await command('HSET', key, 'field', 'value');
      }
      let told = 0;
      await cache.clear({ tags: ['t'] }).catch((error) => {
        told++;
        expect(error.code).toMatch(/^CACHALOT_/);
      });
      // Either it was refused and said so, or it did what it says.
      const got = await open({ prefix }).get({ key: 'k' });
      expect(told === 1 || got === null).toBe(true);
      expect(got).toBeNull();
    });
  }
}
