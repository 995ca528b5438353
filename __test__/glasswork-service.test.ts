// Glasswork's CacheService over every store of ours and over one of a user's own: the same calls, the same results.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CachalotStore,
  type CacheConfig,
  CacheService,
  type CacheStore,
  createCacheKey,
  MemoryCacheStore,
} from '../js/adapters/glasswork/index.js';
import { memcached, memory, redis } from '../js/options/config.js';
import { allStores, recorder, UsersStore } from './glasswork/stores.js';
import { startMemcached, startRedis } from './support/servers.js';

const cleanup: Array<() => unknown> = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

interface User {
  id: string;
}
const userKey = createCacheKey<User>('user', (id: string) => `user:${id}`);
const flagsKey = createCacheKey<{ rollout: number }>('flags', () => 'flags:current');

const silent: Partial<CacheConfig> = { logger: {} };
const over = (store: CacheStore, config: Partial<CacheConfig> = {}) =>
  new CacheService(store, { defaultTTL: 300, ...silent, ...config });

for (const { name, open } of allStores()) {
  describe(name, () => {
    it('gets, sets, deletes and has, by typed keys and by plain ones', async () => {
      const cache = over(open());
      expect(await cache.get(userKey('123'))).toBeUndefined();
      await cache.set(userKey('123'), { id: '123' });
      await cache.set(flagsKey, { rollout: 5 });
      await cache.set('plain', [1], 60);
      expect(await cache.get(userKey('123'))).toEqual({ id: '123' });
      expect(await cache.get('user:123')).toEqual({ id: '123' });
      expect(await cache.get(flagsKey)).toEqual({ rollout: 5 });
      expect(await cache.get(flagsKey())).toEqual({ rollout: 5 });
      expect([await cache.has(userKey('123')), await cache.has('plain'), await cache.has('other')]).toEqual([
        true,
        true,
        false,
      ]);
      await cache.del(userKey('123'));
      await cache.del('plain');
      expect([await cache.has(userKey('123')), await cache.get('plain')]).toEqual([false, undefined]);
    });

    it.each([null, false, 0, '', { value: 1, cachedAt: 2 }])(
      'gives back %j as it was stored',
      async (value) => {
        const cache = over(open());
        await cache.set('k', value);
        expect(await cache.get('k')).toStrictEqual(value);
        expect(await cache.wrap('k', () => 'made')).toStrictEqual(value);
      },
    );

    it('says when a value was cached', async () => {
      const cache = over(open());
      expect(await cache.getWithMetadata(userKey('1'))).toBeUndefined();
      const before = Date.now();
      await cache.set(userKey('1'), { id: '1' });
      await cache.wrap(userKey('2'), 60, async () => ({ id: '2' }));
      await cache.wrapSWR(userKey('3'), 60, 300, async () => ({ id: '3' }));
      const after = Date.now();
      for (const id of ['1', '2', '3']) {
        const entry = await cache.getWithMetadata(userKey(id));
        expect(entry).toEqual({ value: { id }, cachedAt: expect.any(Number) });
        expect(entry?.cachedAt).toBeGreaterThanOrEqual(before);
        expect(entry?.cachedAt).toBeLessThanOrEqual(after);
      }
    });

    it('puts the prefix before every key and pattern, whatever characters it has', async () => {
      const store = open();
      const [app, other, none] = [
        over(store, { keyPrefix: 'a*p' }),
        over(store, { keyPrefix: 'axp' }),
        over(store),
      ];
      await Promise.all([app, other].map((cache) => cache.set('user:1', 1)));
      expect(await none.get('a*p:user:1')).toBe(1);
      if (!(store instanceof UsersStore)) {
        await app.delByPattern('user:*');
        expect([await app.get('user:1'), await other.get('user:1')]).toEqual([undefined, 1]);
        await other.delByPattern('*');
        expect(await other.get('user:1')).toBeUndefined();
      }
    });

    describe('wrap', () => {
      it('makes a value once, for all who ask meanwhile and after', async () => {
        const cache = over(open());
        const fetch = vi.fn(async () => {
          await sleep(30);
          return { id: '1' };
        });
        const asked = Array.from({ length: 20 }, () => cache.wrap(userKey('1'), 600, fetch));
        expect(await Promise.all(asked)).toEqual(Array.from({ length: 20 }, () => ({ id: '1' })));
        expect(await cache.wrap(userKey('1'), 600, fetch)).toEqual({ id: '1' });
        expect(fetch).toHaveBeenCalledTimes(1);
      });

      it('takes its function second, or third after no ttl', async () => {
        const cache = over(open(), { defaultTTL: 1.5 });
        expect(await cache.wrap('a', async () => 1)).toBe(1);
        expect(await cache.wrap('b', undefined, async () => 2)).toBe(2);
        expect(await cache.wrap('c', 60, () => 3)).toBe(3);
        expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([1, 2, 3]);
        const made = () => Promise.all(['a', 'b', 'c'].map((key) => cache.get(key)));
        await expect.poll(made, { timeout: 6000 }).toEqual([undefined, undefined, 3]);
      });

      it('gives undefined and does not cache it', async () => {
        const cache = over(open());
        const fetch = vi.fn(async () => undefined);
        expect(await cache.wrap('k', fetch)).toBeUndefined();
        expect(await cache.wrap('k', fetch)).toBeUndefined();
        expect(fetch).toHaveBeenCalledTimes(2);
        expect(await cache.has('k')).toBe(false);
      });

      it('throws what its function throws, to all who wait, and tries again', async () => {
        const cache = over(open());
        const boom = new Error('boom');
        let tries = 0;
        const failing = async () => {
          tries++;
          await sleep(20);
          throw boom;
        };
        const asked = [1, 2, 3].map(() => cache.wrap('k', 60, failing));
        const rejected = { status: 'rejected', reason: boom };
        expect(await Promise.allSettled(asked)).toEqual([rejected, rejected, rejected]);
        expect(tries).toBe(1);
        const thrown = cache.wrap('k', 60, () => {
          throw boom;
        });
        await expect(thrown).rejects.toBe(boom);
        expect(await cache.wrap('k', 60, async () => 'at last')).toBe('at last');
      });

      it('does not store what was read before a deletion', async () => {
        const cache = over(open());
        const deletions = [() => cache.del('user:1'), () => cache.delByPattern('user:*')];
        for (const remove of deletions) {
          let began = () => {};
          const begun = new Promise<void>((resolve) => {
            began = resolve;
          });
          const made = cache.wrap('user:1', 60, async () => {
            began();
            await sleep(30);
            return 'before';
          });
          await begun;
          await remove();
          expect(await made).toBe('before');
          expect(await cache.get('user:1')).toBeUndefined();
        }
      });
    });

    describe('wrapSWR', () => {
      it('serves what is stale and makes it anew behind, once', async () => {
        const cache = over(open());
        let made = 0;
        const fetch = async () => {
          made++;
          await sleep(20);
          return made;
        };
        const ask = (stale: number) => cache.wrapSWR('flags', stale, 120, fetch);
        expect(await ask(60)).toBe(1);
        expect(await ask(60)).toBe(1);
        await sleep(60);
        expect(await Promise.all([ask(0.05), ask(0.05), ask(0.05)])).toEqual([1, 1, 1]);
        await expect.poll(() => cache.get('flags')).toBe(2);
        expect(await ask(60)).toBe(2);
        expect(made).toBe(2);
      });

      it('goes by the age of the value, whoever cached it, and get serves it until its end', async () => {
        const cache = over(open());
        await cache.set('flags', 'set', 60);
        await cache.wrap('other', 60, async () => 'wrapped');
        await sleep(120);
        const fresh = async () => 'fresh';
        expect(await cache.wrapSWR('flags', 30, 60, fresh)).toBe('set');
        expect(await cache.wrapSWR('flags', 0.1, 60, fresh)).toBe('set');
        expect(await cache.wrapSWR('other', 0.1, 60, fresh)).toBe('wrapped');
        await expect.poll(() => cache.get('flags')).toBe('fresh');
        await expect.poll(() => cache.get('other')).toBe('fresh');
        await sleep(120);
        expect([await cache.get('flags'), await cache.has('flags')]).toEqual(['fresh', true]);
        expect(await cache.wrap('flags', 60, async () => 'anew')).toBe('fresh');
      });

      it('logs a refresh that fails, and serves on', async () => {
        const { logger, lines } = recorder();
        const cache = over(open(logger), { logger });
        await cache.set('flags', 1, 60);
        await sleep(60);
        const failing = async () => {
          throw new Error('the source is down');
        };
        expect(await cache.wrapSWR('flags', 0.05, 60, failing)).toBe(1);
        await expect
          .poll(() => lines.filter((line) => /warn .*refresh failed.*the source is down/.test(line)))
          .toHaveLength(1);
        expect(await cache.wrapSWR('flags', 0.05, 60, failing)).toBe(1);
      });

      it('waits for its function after the end, and throws what it throws', async () => {
        const cache = over(open());
        expect(await cache.wrapSWR('k', 0.1, 0.2, async () => 1)).toBe(1);
        await expect.poll(() => cache.get('k'), { timeout: 3000 }).toBeUndefined();
        const boom = new Error('boom');
        await expect(
          cache.wrapSWR('k', 0.1, 0.2, async () => {
            throw boom;
          }),
        ).rejects.toBe(boom);
        expect(await cache.wrapSWR('k', 0, 60, async () => 2)).toBe(2);
      });
    });

    it.each<[string, (cache: CacheService) => Promise<unknown>, RegExp]>([
      ['an empty key', (cache) => cache.get(''), /key: expected a non-empty string, got an empty string/],
      ['a key that is none', (cache) => cache.del(7 as never), /key.*got 7/],
      ['a ttl of 0', (cache) => cache.set('k', 1, 0), /ttl: expected a number of seconds above 0, got 0/],
      ['a negative ttl', (cache) => cache.wrap('k', -1, async () => 1), /ttl.*got -1/],
      ['null as ttl', (cache) => cache.set('k', 1, null as never), /ttl.*got null/],
      ['a ttl in words', (cache) => cache.set('k', 1, '5m' as never), /ttl.*"5m"/],
      ['no function', (cache) => cache.wrap('k', 60, undefined as never), /fn: expected a function.*nothing/],
      ['a negative staleTTL', (cache) => cache.wrapSWR('k', -1, 60, async () => 1), /staleTTL.*got -1/],
      [
        'a maxTTL below staleTTL',
        (cache) => cache.wrapSWR('k', 300, 60, async () => 1),
        /maxTTL: expected at least as long as staleTTL \(300 s\), got 60 s/,
      ],
      ['a pattern that is none', (cache) => cache.delByPattern(7 as never), /pattern: .*got 7/],
      ['a maxTTL of 0', (cache) => cache.wrapSWR('k', 0, 0, async () => 1), /maxTTL.*above 0, got 0/],
    ])('refuses %s', async (_, call, said) => {
      const cache = over(open());
      await cache.set('k', 'before');
      await expect(call(cache)).rejects.toMatchObject({
        code: 'CACHALOT_CONFIG',
        message: expect.stringMatching(said),
      });
      expect(await cache.get('k')).toBe('before');
    });
  });
}

describe('in an outage', () => {
  it.each(['redis', 'memcached'] as const)(
    '%s: reads miss, writes are logged, wrap makes the value',
    async (kind) => {
      const server = kind === 'redis' ? await startRedis() : await startMemcached();
      cleanup.push(() => server.stop());
      const { logger, lines } = recorder();
      const store = new CachalotStore({
        store:
          kind === 'redis'
            ? redis({ url: `redis://127.0.0.1:${server.port}`, commandTimeout: 300 })
            : memcached({ servers: [`127.0.0.1:${server.port}`], commandTimeout: 300 }),
        logger,
      });
      cleanup.push(() => store.close());
      const cache = over(store, { logger });
      await cache.set('k', 1);
      await server.kill();
      expect(await cache.get('k')).toBeUndefined();
      expect(await cache.getWithMetadata('k')).toBeUndefined();
      expect(await cache.has('k')).toBe(false);
      await cache.set('k', 2);
      await cache.del('k');
      expect(await cache.delByPattern('user:*')).toBeUndefined();
      expect(await cache.wrap('k', async () => 3)).toBe(3);
      expect(await cache.wrapSWR('k', 1, 2, async () => 4)).toBe(4);
      expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
      expect(lines.join()).toContain(String(server.port));
    },
  );

  it('a store of the user’s own that throws is a miss, and is logged', async () => {
    const { logger, lines } = recorder();
    const fail = async () => {
      throw new Error('no connection');
    };
    const store = { name: 'mine', get: fail, set: fail, del: fail, delByPattern: fail };
    const cache = over(store, { logger });
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.has('k')).toBe(false);
    await cache.set('k', 1);
    await cache.del('k');
    expect(await cache.delByPattern('*')).toBeUndefined();
    expect(await cache.wrap('k', async () => 3)).toBe(3);
    expect(lines[0]).toBe('warn [cachalot/glasswork mine] A get failed: "k": no connection.');
    // One of a kind within half a minute.
    expect(lines).toHaveLength(4);
  });
});

describe('a service', () => {
  it('asks a store of the user’s own only for what it has', async () => {
    const entries = new Map<string, unknown>([['raw', 7]]);
    const store: CacheStore = {
      name: 'mine',
      get: async <T>(key: string) => entries.get(key) as T | undefined,
      set: async (key, value) => void entries.set(key, value),
      del: async (key) => void entries.delete(key),
    };
    const cache = over(store);
    await expect(cache.delByPattern('*')).rejects.toMatchObject({ code: 'CACHALOT_UNSUPPORTED' });
    expect([await cache.has('raw'), await cache.has('k')]).toEqual([true, false]);
    expect(await cache.getWithMetadata('raw')).toEqual({ value: 7, cachedAt: expect.any(Number) });
    await cache.set('k', 1);
    expect(entries.get('k')).toEqual({ value: 1, cachedAt: expect.any(Number) });
  });

  it('over a store of the user’s own waits no longer than half a minute for one that hangs', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = over(new UsersStore());
    let letGo = (_: string) => {};
    const hung = cache.wrap('k', () => new Promise<string>((resolve) => (letGo = resolve)));
    await sleep(5);
    vi.advanceTimersByTime(29_000);
    const joined = cache.wrap('k', async () => 'of its own');
    await sleep(5);
    vi.advanceTimersByTime(1_001);
    expect(await cache.wrap('k', async () => 'anew')).toBe('anew');
    letGo('late');
    expect([await hung, await joined]).toEqual(['late', 'late']);
    expect(await cache.get('k')).toBe('anew');
  });

  it('goes through the methods of a subclass or a spy', async () => {
    const store = new MemoryCacheStore({ logger: {} });
    cleanup.push(() => store.close());
    const get = vi.spyOn(store, 'get').mockResolvedValue({ value: 'mocked', cachedAt: 1 });
    expect(await over(store).get('k')).toBe('mocked');
    expect(get).toHaveBeenCalledWith('k');
  });

  it('tells of time that a test only pretends', async () => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
    const store = new MemoryCacheStore({ logger: {} });
    cleanup.push(() => store.close());
    const cache = over(store, { defaultTTL: 120 });
    let made = 0;
    const fetch = async () => ++made;
    expect(await cache.wrapSWR('k', 60, 300, fetch)).toBe(1);
    vi.setSystemTime(1_700_000_061_000);
    expect(await cache.wrapSWR('k', 60, 300, fetch)).toBe(1);
    await vi.waitFor(async () => expect(await cache.get('k')).toBe(2));
    const cachedAt = (await cache.getWithMetadata('k'))?.cachedAt ?? 0;
    // While it waits, waitFor moves the time on.
    expect(cachedAt - 1_700_000_061_000).toBeLessThan(1000);
    vi.setSystemTime(cachedAt + 300_001);
    expect(await cache.get('k')).toBeUndefined();
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'no store',
      () => new CacheService(undefined as never, { defaultTTL: 1 }),
      /store: expected a CacheStore/,
    ],
    [
      'a description of one',
      () => new CacheService(memory() as never, { defaultTTL: 1 }),
      /new CachalotStore/,
    ],
    [
      'no options',
      () => new CacheService(new UsersStore(), undefined as never),
      /expected an object of options/,
    ],
    ['no defaultTTL', () => new CacheService(new UsersStore(), {} as never), /"defaultTTL".*got nothing/],
    ['a defaultTTL of 0', () => over(new UsersStore(), { defaultTTL: 0 }), /"defaultTTL".*above 0, got 0/],
    ['a prefix that is none', () => over(new UsersStore(), { keyPrefix: 7 as never }), /"keyPrefix".*got 7/],
    ['a wrong name', () => over(new UsersStore(), { prefix: 'a' } as never), /"prefix".*"keyPrefix"/],
    ['no function', () => createCacheKey('user', 'user' as never), /createCacheKey.*function.*"user"/],
  ])('refuses %s', (_, make, said) => {
    expect(make).toThrow(said);
    expect(make).toThrow(expect.objectContaining({ code: 'CACHALOT_CONFIG' }));
  });
});
