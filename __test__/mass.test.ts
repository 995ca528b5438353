// Many deletes and expiries in one turn: they travel together, and each key's answers are as if they went alone.

import { describe, expect, inject, it } from 'vitest';
import { type Cache, createCache, memcached, redis } from '../js/index.js';
import { opener, type SpecUnderTest, specs } from './cache/caches.js';
import { redisRaw } from './contract/raw-redis.js';
import { uniquePrefix } from './contract/stores.js';
import { startRedis } from './support/servers.js';

/** More than a link takes as requests of their own (16,384). */
const MANY = 20_000;
/** What is not done by then was refused or lost, and not merely late. */
const PATIENT = 30_000;

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

async function fill(cache: Cache, count: number, grace: '1h' | false = false): Promise<void> {
  for (let at = 0; at < count; at += 2_000) {
    const keys = numbers(Math.min(2_000, count - at)).map((nth) => `k${at + nth}`);
    await Promise.all(keys.map((key) => cache.set({ key, value: 1, ttl: '1h', grace })));
  }
}

/** The same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe.each(specs())('$name', (store: SpecUnderTest) => {
  const open = opener(store);

  it('finishes what travels in parts before it closes', async () => {
    const [cache, other] = [open({ errors: 'throw' }), open({ errors: 'throw' })];
    const keys = numbers(MANY).map((nth) => `k${nth}`);
    const set = cache.setMany(keys.map((key) => ({ key, value: 1 })));
    const closed = cache.close();
    await expect(cache.get('k0')).rejects.toThrow(/closed/);
    expect(await set).toBe(true);
    await closed;
    const ending = open({ errors: 'throw' });
    const read = ending.getMany(keys);
    const removed = ending.deleteMany(keys);
    await ending.close();
    expect((await read).filter((value) => value === 1)).toHaveLength(MANY);
    expect(await removed).toBe(true);
    expect((await other.getMany(keys)).some((value) => value !== undefined)).toBe(false);
  });

  it('answers every operation of a turn as if it were alone', async () => {
    const cache = open({ errors: 'throw' });
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed);
      // Few keys: the same one meets itself within a part. Many: parts are full.
      const keys = [3, 40, 500][seed % 3] as number;
      const there = new Set<string>();
      const expected: boolean[] = [];
      const asked = numbers(600).map(() => {
        const key = `${seed}-${next(keys)}`;
        const was = there.has(key);
        switch (next(6)) {
          case 0:
            there.add(key);
            expected.push(true);
            return cache.set({ key, value: 1 });
          case 1:
            expected.push(was);
            return cache.has(key);
          default:
            there.delete(key);
            expected.push(was);
            return cache.delete(key);
        }
      });
      expect(await Promise.all(asked), `seed ${seed}`).toEqual(expected);
      const left = await Promise.all(numbers(keys).map((nth) => cache.has(`${seed}-${nth}`)));
      expect(left, `seed ${seed}`).toEqual(numbers(keys).map((nth) => there.has(`${seed}-${nth}`)));
    }
  });

  it('expires what has a grace and what has none, each key once or twice', async () => {
    const cache = open({ errors: 'throw' });
    await fill(cache, 200, '1h');
    await Promise.all(numbers(100).map((nth) => cache.set({ key: `plain${nth}`, value: 1, ttl: '1h' })));
    const keys = numbers(500).map((at) => (at % 2 ? `k${at % 250}` : `plain${at % 110}`));
    expect(await Promise.all(keys.map((key) => cache.expire(key)))).toEqual(keys.map(() => true));
    for (const nth of [1, 199, 201]) {
      expect(await cache.get(`k${nth}`)).toBeUndefined();
    }
    expect(await cache.get('k0')).toBe(1);
    expect(await cache.get('plain1')).toBe(1);
    expect(await cache.get('plain0')).toBeUndefined();
    // Kept while it is stale.
    const served = await cache.getOrSet({ key: 'k1', ttl: '1h', grace: '1h', timeout: 0, factory: () => 2 });
    expect(served).toBe(1);
  });
});

const servers = inject('servers');
const patient = (prefix: string) => ({ prefix, commandTimeout: PATIENT });

describe.each([
  { name: 'redis', spec: (prefix: string) => redis({ url: servers.redis.url, ...patient(prefix) }) },
  {
    name: 'memcached',
    spec: (prefix: string) => memcached({ servers: servers.memcached.slice(0, 1), ...patient(prefix) }),
  },
])('$name, many at once', ({ spec }) => {
  it.each(['delete', 'expire'] as const)('%s', async (method) => {
    const cache = createCache({ store: spec(uniquePrefix('mass')), errors: 'throw' });
    await fill(cache, MANY);
    const asked = numbers(MANY).map((at) => cache[method](`k${at}`));
    const beside = cache.get('k0');
    const done = await Promise.all(asked);
    expect(done.filter((one) => one)).toHaveLength(MANY);
    expect(await beside).toBeUndefined();
    expect(await cache.has(`k${MANY - 1}`)).toBe(false);
    await cache.close();
  });
});

describe('what Redis is asked', () => {
  it.each([
    ['delete', false],
    ['expire', false],
    ['expire', '1h'],
  ] as const)('%s, with a grace of %s', async (method, grace) => {
    const server = await startRedis();
    const cache = createCache({ store: redis({ url: server.url, commandTimeout: PATIENT }) });
    await fill(cache, 3_200, grace);
    const raw = redisRaw(server.port);
    await raw.command('CONFIG', 'RESETSTAT');
    await Promise.all(numbers(3_200).map((at) => cache[method](`k${at}`)));
    const stats = String(await raw.command('INFO', 'commandstats'));
    const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    // 32 keys in each, and fewer where a turn's text was cut. A version is changed by a call of its own, which reads.
    const alone = grace === false ? 0 : 3_200;
    expect(calls('mget')).toBeLessThan(alone + 250);
    expect(calls('evalsha')).toBeLessThan(alone + 250);
    await cache.close();
    await server.stop();
  });
});
