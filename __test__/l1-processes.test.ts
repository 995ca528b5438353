// L1 among processes: what others replace and clear, servers that go away, connections that fall silent, a process that
// is frozen.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Cache } from '../js/index.js';
import type { LocalCache } from '../js/local-cache/local-cache.js';
import type { NativeStore } from '../js/store/native-store.js';
import { redisRaw } from './contract/raw-redis.js';
import { uniquePrefix } from './contract/stores.js';
import { cacheAt, type Other, other, type Place, race, script } from './l1/others.js';
import { runNode, startNode } from './support/processes.js';
import { proxy } from './support/proxy.js';
import { type RedisServer, startRedis } from './support/servers.js';

const servers = inject('servers');
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

function cacheOn(place: Place, l1?: Parameters<typeof cacheAt>[1]): Cache {
  const cache = cacheAt(place, l1);
  open.push(() => cache.close());
  return cache;
}

async function otherOn(place: Place): Promise<Other> {
  const one = await other(place);
  open.push(() => one.end());
  return one;
}

/** Nothing of it is public. */
function insides(cache: Cache): LocalCache {
  return (cache as unknown as { core: { store: NativeStore } }).core.store.localCache as LocalCache;
}

const redisAt = (url = servers.redis.url): Place => ({
  kind: 'redis',
  options: { url, prefix: uniquePrefix() },
});
const memoryAt = (): Place => ({ kind: 'memory', options: { name: uniquePrefix() } });

describe.each([
  ['redis', redisAt],
  ['process memory, from worker threads', memoryAt],
])('on %s, what others did is seen', (_, placeOf) => {
  it('whatever they did, while three readers keep every key in L1', { timeout: 120_000 }, async () => {
    const place = placeOf();
    const cache = cacheOn(place);
    const others = await Promise.all([otherOn(place), otherOn(place)]);
    const raced = await race(cache, others, 250, false);
    expect(raced.stale).toEqual([]);
    expect(raced.checks).toBe(2 * 4 * 250 * 2);
    expect(raced.l1Hits).toBeGreaterThan(1_000);
  });

  it('and where one of them clears everything', { timeout: 120_000 }, async () => {
    const place = placeOf();
    const cache = cacheOn(place);
    const raced = await race(cache, [await otherOn(place)], 500, true);
    expect(raced.stale).toEqual([]);
    expect(raced.l1Hits).toBeGreaterThan(500);
  });

  it('which this test would notice: it fails where the counters are not looked at', async () => {
    const place = placeOf();
    const cache = cacheOn(place);
    Object.assign(insides(cache), { holds: () => true });
    const raced = await race(cache, [await otherOn(place)], 50, false);
    expect(raced.stale.length).toBeGreaterThan(50);
  });
});

describe.each([
  [
    'redis without tracking',
    (): Place => ({ kind: 'redis', options: { ...redisAt().options, tracking: false } }),
  ],
  [
    'memcached',
    (): Place => ({ kind: 'memcached', options: { servers: servers.memcached, prefix: uniquePrefix() } }),
  ],
])('on %s', (_, placeOf) => {
  it.each([[true, 1_000] as const, [{ ttl: 200 }, 200] as const])(
    'what others did is seen within l1.ttl (%j)',
    async (l1, ttl) => {
      const place = placeOf();
      const cache = cacheOn(place, l1);
      const writer = await otherOn(place);
      for (const way of ['delete', 'deleteByTag', 'clear'] as const) {
        // On a busy machine the other process may take longer than the ttl, and then nothing shows that L1 had it.
        for (let shown = false, attempt = 0; !shown; attempt++) {
          expect(attempt, 'the other process never did it within the ttl').toBeLessThan(20);
          await writer.ask('set', { key: 's:k', value: 1, tag: 't' });
          const asked = Date.now();
          expect(await cache.get('s:k')).toBe(1);
          const kept = Date.now();
          const { l1Hits } = cache.stats();
          await writer.ask(way, { key: 's:k', tag: 't' });
          const value = await cache.get('s:k');
          if (Date.now() < asked + ttl) {
            expect(value).toBe(1);
            expect(cache.stats().l1Hits).toBe(l1Hits + 1);
            shown = true;
          }
          while (Date.now() < kept + ttl) await sleep(kept + ttl - Date.now());
          expect(await cache.get('s:k')).toBeUndefined();
        }
      }
    },
  );
});

describe('a connection', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  async function warm(cache: Cache, writer: Other): Promise<void> {
    await writer.ask('set', { key: 'k', value: 1, tag: 't' });
    // The first comes before the connection tells of changes.
    await cache.missing('none');
    await expect.poll(() => cache.get('k')).toBe(1);
    await cache.get('k');
    expect(insides(cache).value('k')).toBe(1);
  }

  it('that was lost empties it', async () => {
    const place = redisAt(server.url);
    const cache = cacheOn(place);
    const lost = new Promise((resolve) => {
      cache.on('disconnected', resolve);
    });
    await warm(cache, await otherOn(place));
    await redisRaw(server.port).command('CLIENT', 'KILL', 'TYPE', 'normal');
    await lost;
    expect(insides(cache).value('k')).toBeUndefined();
  });

  it('that was flushed empties it', async () => {
    const place = redisAt(server.url);
    const cache = cacheOn(place);
    await warm(cache, await otherOn(place));
    await redisRaw(server.port).command('FLUSHALL');
    await cache.missing('none');
    expect(insides(cache).value('k')).toBeUndefined();
  });

  it('whose server died serves nothing, and serves again when it is back', { timeout: 40_000 }, async () => {
    const place = redisAt(server.url);
    const cache = cacheOn(place);
    const lost = new Promise((resolve) => {
      cache.on('disconnected', resolve);
    });
    await warm(cache, await otherOn(place));
    await server.kill();
    await lost;
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHALOT_CONNECTION' });
    await server.restart();
    await expect.poll(() => cache.get('k').catch(() => 'away'), { timeout: 10_000 }).toBeUndefined();
    // Not the same key: a get in an outage guards the set that follows it.
    await cache.set({ key: 'k2', value: 2 });
    await expect
      .poll(async () => [await cache.get('k2'), insides(cache).value('k2')], { timeout: 10_000 })
      .toEqual([2, 2]);
  });

  it('into a black hole serves for three seconds at most', { timeout: 40_000 }, async () => {
    const between = await proxy(server.port);
    open.push(() => between.stop());
    const { options } = redisAt(server.url);
    // Its watchdog is slow to notice: what ends the serving is that nothing was heard.
    const cache = cacheOn({
      kind: 'redis',
      options: { ...options, url: `redis://127.0.0.1:${between.port}`, commandTimeout: 10_000 },
    });
    const writer = await otherOn({ kind: 'redis', options });
    await warm(cache, writer);
    between.blackHole();
    const since = performance.now();
    await writer.ask('deleteByTag', { key: 'k', tag: 't' });
    const localCache = insides(cache);
    let served = 0;
    while (performance.now() - since < 5_000) {
      const now = performance.now() - since;
      if (localCache.value('k') !== undefined) served = now;
      await sleep(20);
    }
    // It is asked every second while it is used, and counts from the question.
    expect(served).toBeGreaterThan(1_500);
    expect(served).toBeLessThan(3_000);
    between.pass();
    await expect.poll(() => cache.get('k')).toBeUndefined();
  });

  it('that is silent is asked every second while L1 is used, and left alone then', {
    timeout: 40_000,
  }, async () => {
    const place = redisAt(server.url);
    const { prefix } = place.options as { prefix: string };
    const cache = cacheOn(place);
    await warm(cache, await otherOn(place));
    const localCache = insides(cache);
    const questions = async () => {
      const info = String(await redisRaw(server.port).command('INFO', 'commandstats'));
      return Number(/cmdstat_get:calls=(\d+)/.exec(info)?.[1] ?? 0);
    };
    // A sweep asks for the epoch too; the first one comes soon after the start.
    const swept = () => redisRaw(server.port).command('EXISTS', `${prefix}!s`);
    while ((await swept()) !== 1) await sleep(20);
    const before = await questions();
    for (const until = performance.now() + 5_000; performance.now() < until; ) {
      expect(localCache.value('k')).toBe(1);
      await sleep(50);
    }
    const asked = (await questions()) - before;
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(asked).toBeLessThanOrEqual(6);
    await sleep(12_000);
    const rested = await questions();
    await sleep(3_000);
    expect(await questions()).toBe(rested);
    // Not heard for long: the store is asked, and what is kept holds again.
    expect(localCache.value('k')).toBeUndefined();
    expect(await cache.get('k')).toBe(1);
    expect(localCache.value('k')).toBe(1);
  });
});

it('a frozen process serves nothing that was cleared meanwhile', { timeout: 60_000 }, async () => {
  const place = redisAt();
  const writer = await otherOn(place);
  for (let round = 0; round < 3; round++) {
    await writer.ask('set', { key: 'k', value: round, tag: 't' });
    const child = startNode(script('frozen'), { args: [JSON.stringify(place)] });
    open.push(() => child.kill());
    expect(await child.next()).toEqual({ warm: true, value: round });
    child.kill('SIGSTOP');
    await writer.ask('deleteByTag', { key: 'k', tag: 't' });
    await sleep(3_200);
    child.kill('SIGCONT');
    expect(await child.next()).toEqual({ value: null, l1: false });
  }
});

it.each([redisAt(), { kind: 'memcached', options: { servers: servers.memcached } } as Place, memoryAt()])(
  'an idle process with L1 on $kind ends by itself',
  async (place) => {
    const ended = await runNode(script('idle'), { args: [JSON.stringify(place)], timeoutMs: 15_000 });
    expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
    expect(Number(ended.stdout)).toBe(2);
    expect(Number(/idle (\d+)/.exec(ended.stderr)?.[1])).toBeLessThan(2_000);
  },
);
