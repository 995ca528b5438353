// Real servers behind a wire that breaks: every call settles in time, none gets another's reply, and it comes back.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { OpenOptions } from '../contract/stores.js';
import {
  COMMAND_MS,
  FAULTS,
  KINDS,
  lateness,
  recovery,
  type Scene,
  type Settled,
  scene,
  settle,
} from './scenes.js';

const KEYS = Array.from({ length: 50 }, (_, n) => `k${n}`);
const OUTAGE_MS = 1_000;
const RECOVERY_MS = 2_000;
/** What a deadline may be exceeded by. Timers of this process that come late are added: they are no fault of the cache. */
const SLACK_MS = 100;

let open: Scene | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function filled(kind: (typeof KINDS)[number]): Promise<Scene> {
  open = await scene(kind);
  const { direct, cache } = open;
  await Promise.all(
    KEYS.map((key) => direct.set({ key, data: { key, filler: key.repeat(20) }, tags: [`t${key}`, 'all'] })),
  );
  expect(await Promise.all(KEYS.map((key) => cache.get({ key })))).toEqual(
    KEYS.map((key) => ({ key, filler: key.repeat(20) })),
  );
  return open;
}

for (const kind of KINDS) {
  describe(kind, () => {
    test.each(Object.entries(FAULTS))(
      '%s: calls settle in time with their own answers, one warning, back within 2 s (caching-redis: calls waited 5 to 8 s)',
      async (name, fault) => {
        const scene = await filled(kind);
        const { cache, log } = scene;
        const clock = lateness();
        const pending: Array<Promise<Settled>> = [];
        const ask = (n: number) => {
          const key = KEYS[n % KEYS.length] as string;
          pending.push(settle(key, cache.get({ key })));
          if (n % 5 === 0) pending.push(settle('set', cache.set({ key: `x${n}`, data: n, tags: ['x'] })));
          if (n % 7 === 0) pending.push(settle('list', cache.get({ tags: ['x'] })));
        };
        await fault.begin(scene);
        const again = fault.again && setInterval(() => fault.again?.act(scene), fault.again.ms);
        const started = performance.now();
        for (let n = 0; performance.now() - started < OUTAGE_MS; n++) {
          ask(n);
          if (n % 3 === 0) await sleep(4);
        }
        clearInterval(again);
        const during = pending.length;
        await fault.end(scene);
        const back = await recovery(cache, RECOVERY_MS);
        for (let n = 0; n < 200; n++) ask(n);
        const settled = await Promise.all(pending);
        const late = clock.stop();
        const slowest = settled.reduce((worst, one) => (one.ms > worst.ms ? one : worst));
        const hits = settled
          .slice(0, during)
          .filter(({ what, value }) => what.startsWith('k') && value !== null).length;
        const warnings = log.filter((line) => !line.startsWith('info'));
        console.log(
          `outage, ${kind}, ${name}: ${settled.length} calls, slowest ${Math.round(slowest.ms)} ms (${slowest.what}; own timers late by ${Math.round(late)}), ${hits} hits meanwhile, back after ${Math.round(back)} ms, ${warnings.length} warning(s)`,
        );
        expect(settled.filter(({ error }) => error !== undefined)).toEqual([]);
        expect(slowest.ms).toBeLessThanOrEqual(COMMAND_MS + SLACK_MS + late);
        for (const { what, value } of settled) {
          if (what.startsWith('k') && value !== null)
            expect(value).toEqual({ key: what, filler: what.repeat(20) });
          if (what === 'list')
            for (const one of (value ?? []) as unknown[])
              expect(typeof one === 'number' || one === null).toBe(true);
        }
        expect(back).toBeLessThanOrEqual(RECOVERY_MS + late);
        if (fault.keeps)
          expect(await Promise.all(KEYS.map((key) => cache.get({ key })))).toEqual(
            KEYS.map((key) => ({ key, filler: key.repeat(20) })),
          );
        else for (const key of KEYS) expect(await cache.get({ key })).toBeNull();
        // A wire that comes and goes is as many outages; the log is rate-limited all the same.
        if (fault.flaps) expect(warnings.length).toBeLessThanOrEqual(OUTAGE_MS / 100);
        else expect(warnings, warnings.join('\n')).toHaveLength(1);
        expect(log.filter((line) => line.startsWith('info') && /again/i.test(line)).length).toBeGreaterThan(
          0,
        );
      },
      30_000,
    );

    test.each(['a black hole', 'a refused connection', 'a stopped server'])(
      '%s: clears made meanwhile are replayed before the first read after it (caching-redis: lost 7 of 8)',
      async (name) => {
        const fault = FAULTS[name] as (typeof FAULTS)[string];
        const scene = await filled(kind);
        const { cache, direct, log } = scene;
        await fault.begin(scene);
        // Long enough that it is an outage and not a hiccup that the first clear sits out.
        await cache.get({ key: 'k0' });
        const ways = [
          (key: string) => cache.clear({ tags: [`t${key}`] }),
          (key: string) => cache.clear({ tags: [`t${key}`], options: { autoInvalidate: true } }),
          (key: string) => cache.clear({ key }),
          (key: string) => cache.clear({ key, tags: ['nobody'] }),
        ];
        const cleared = KEYS.slice(0, 8);
        const settled = await Promise.all(
          cleared.map((key, n) => settle(key, (ways[n % 4] as (key: string) => Promise<void>)(key))),
        );
        expect(settled.filter(({ error }) => error !== undefined)).toEqual([]);
        await fault.end(scene);
        // The first reads, as early as can be: whichever of them is answered by the server comes after the clears.
        const started = performance.now();
        let untouched: unknown = null;
        while (untouched === null && performance.now() - started < RECOVERY_MS) {
          const reads = await Promise.all([
            ...cleared.map((key) => cache.get({ key })),
            cache.get({ key: 'k20' }),
          ]);
          untouched = reads.pop();
          expect(reads).toEqual(cleared.map(() => null));
        }
        expect(untouched).toEqual({ key: 'k20', filler: 'k20'.repeat(20) });
        for (const key of cleared) expect(await direct.get({ key })).toBeNull();
        expect(await direct.get({ key: 'k21' })).not.toBeNull();
        expect(log.some((line) => /clear/i.test(line))).toBe(true);
      },
      30_000,
    );

    test('a clear of 25,000 names in an outage is replayed before the first read after it', async () => {
      const { cache, direct, wire } = await filled(kind);
      await wire.refuse();
      await cache.get({ key: 'k0' });
      const cleared = KEYS.slice(0, 8);
      const names = Array.from({ length: 25_000 }, (_, n) =>
        n % 2_500 === 99 ? `tk${Math.floor(n / 2_500)}` : `x${n % 9_000}`,
      );
      await cache.clear({ tags: names });
      await wire.accept();
      const started = performance.now();
      while ((await cache.get({ key: 'probe' })) === null && performance.now() - started < RECOVERY_MS) {
        expect(await Promise.all(cleared.map((key) => cache.get({ key })))).toEqual(cleared.map(() => null));
        await cache.set({ key: 'probe', data: 1 });
      }
      expect(await cache.get({ key: 'probe' })).toBe(1);
      for (const key of cleared) expect(await direct.get({ key })).toBeNull();
    });

    test('a clear in an outage holds for sets too: what was read before it is not served after it', async () => {
      const scene = await filled(kind);
      const { cache, direct, wire } = scene;
      expect(await cache.get({ key: 'fresh' })).toBeNull();
      await wire.refuse();
      await cache.get({ key: 'k0' });
      await cache.clear({ tags: ['all'] });
      await cache.clear({ key: 'fresh' });
      await wire.accept();
      const started = performance.now();
      while ((await cache.get({ key: 'probe' })) === null && performance.now() - started < RECOVERY_MS) {
        await cache.set({ key: 'probe', data: 1 });
      }
      await cache.set({ key: 'fresh', data: 'read before the clear', tags: ['all'] });
      expect(await direct.get({ key: 'fresh' })).toBeNull();
    });

    test('a provider opened while the server is away works within 2 s of its coming', async () => {
      open = await scene(kind);
      const { wire, store, prefix } = open;
      await wire.refuse();
      const log: string[] = [];
      const note = (line: string) => void log.push(line);
      const cache = store.open({ prefix }, { warn: note, error: note, info() {}, debug() {} });
      expect(await cache.get({ key: 'k' })).toBeNull();
      await cache.set({ key: 'k', data: 1 });
      await cache.clear({ tags: ['t'] });
      await sleep(1_500);
      expect(log.filter((line) => !/clear/i.test(line))).toHaveLength(1);
      await wire.accept();
      expect(await recovery(cache, RECOVERY_MS)).toBeLessThanOrEqual(RECOVERY_MS);
      await cache.close();
    });

    test('a read of several steps, each in time, is over in time as a whole', async () => {
      const { cache, direct, wire, prefix, store } = await filled(kind);
      // A round trip takes 300 of the 400 ms; what lies near is not known to the second provider.
      const far = store.open({ prefix, commandTimeout: COMMAND_MS } as OpenOptions);
      await far.get({ key: 'probe' });
      wire.delay(150);
      const clock = lateness();
      const asked = await Promise.all([
        settle('get', far.get({ key: 'k1' })),
        settle('list', far.get({ tags: ['all'] })),
        settle('known', cache.get({ key: 'k2' })),
      ]);
      const late = clock.stop();
      wire.pass();
      for (const { what, ms } of asked) expect(ms, what).toBeLessThanOrEqual(COMMAND_MS + SLACK_MS + late);
      expect(await direct.get({ key: 'k1' })).not.toBeNull();
      await far.close();
    });

    test('the default deadline is a second', async () => {
      open = await scene(kind);
      const { wire, store, prefix } = open;
      const cache = store.open({ prefix });
      await cache.set({ key: 'k', data: 1 });
      expect(await cache.get({ key: 'k' })).toBe(1);
      const clock = lateness();
      wire.blackHole();
      const asked = await Promise.all([
        settle('get', cache.get({ key: 'k' })),
        settle('set', cache.set({ key: 'k', data: 2 })),
        settle('clear', cache.clear({ key: 'k' })),
      ]);
      const late = clock.stop();
      for (const { what, ms, error } of asked) {
        expect(error).toBeUndefined();
        expect(ms, what).toBeGreaterThan(300);
        expect(ms, what).toBeLessThanOrEqual(1_000 + SLACK_MS + late);
      }
      await cache.close();
    });

    test('close settles in an outage, and so does what was under way', async () => {
      const { cache, wire } = await filled(kind);
      wire.blackHole();
      const gets = KEYS.map((key) => settle(key, cache.get({ key })));
      const closing = await settle('close', cache.close());
      const settled = await Promise.all(gets);
      expect(closing.error).toBeUndefined();
      expect(closing.ms).toBeLessThan(2 * COMMAND_MS + SLACK_MS);
      for (const { ms } of settled) expect(ms).toBeLessThan(2 * COMMAND_MS + SLACK_MS);
    });
  });
}

test('memcached, three servers: a dead one costs its own keys and no other, and no warning more', async () => {
  const { memcachedStore, uniquePrefix } = await import('../contract/stores.js');
  const { startMemcached } = await import('../support/servers.js');
  const { memcachedRaw } = await import('../contract/raw-memcached.js');
  const servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  try {
    const prefix = uniquePrefix();
    const cache = memcachedStore(
      '',
      servers.map(({ address }) => address),
    ).open({ prefix });
    await Promise.all(KEYS.map((key) => cache.set({ key, data: key })));
    expect(await Promise.all(KEYS.map((key) => cache.get({ key })))).toEqual(KEYS);
    // One that holds neither the epoch nor the record of `*`: without these nothing can be judged, and all is a miss.
    const held = await Promise.all(servers.map(({ port }) => memcachedRaw([port]).keys(prefix)));
    const at = held.findIndex(
      (keys) => !keys.some((key) => key.startsWith(`${prefix}!e`) || key === `${prefix}!t:0000000000000000`),
    );
    const elsewhere = KEYS.filter((key) => !held[at]?.includes(`${prefix}::${key}`));
    await servers[at]?.kill();
    await Promise.all(KEYS.map((key) => cache.get({ key })));
    const without = await Promise.all(KEYS.map((key) => settle(key, cache.get({ key }))));
    const served = without.filter(({ value }) => value !== null);
    for (const { what, value, ms } of served) {
      expect(value).toBe(what);
      expect(ms).toBeLessThan(500);
    }
    console.log(`one of three memcached away: ${served.length} of ${KEYS.length} keys served`);
    expect(served.map(({ what }) => what)).toEqual(elsewhere);
    expect(served.length).toBeGreaterThan(10);
    await servers[at]?.restart();
    expect(await recovery(cache, RECOVERY_MS)).toBeLessThanOrEqual(RECOVERY_MS);
    await cache.close();
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
});
