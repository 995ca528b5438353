// A primary is demoted under living connections, as a managed service does it: the address leads to the new one from then on.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createCache, redis } from '../../js/index.js';
import { redisRaw } from '../contract/raw-redis.js';
import { freePort } from '../support/ports.js';
import { proxy } from '../support/proxy.js';
import { startRedis } from '../support/servers.js';

/** By when the demoted server must have been left. */
const LEFT_MS = 3_000;
const WATCHED_MS = 3_000;
const KEYS = Array.from({ length: 20 }, (_, n) => `k${n}`);

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

test.each([
  ['follows the new primary', false],
  ['has lost its primary and serves what it has', true],
])(
  'a demoted primary that %s is left within 3 s: no stale read after that, and sets are stored',
  async (_, isCutOff) => {
    const [old, next] = await Promise.all([startRedis(), startRedis()]);
    ends.push(
      () => old.stop(),
      () => next.stop(),
    );
    const [oldRaw, nextRaw] = [redisRaw(old.port), redisRaw(next.port)];
    await nextRaw.command('REPLICAOF', '127.0.0.1', String(old.port));
    while (!String(await nextRaw.command('INFO', 'replication')).includes('master_link_status:up'))
      await sleep(50);
    const address = await proxy(old.port);
    ends.push(() => address.stop());
    const open = (port: number) => {
      const cache = createCache({
        store: redis({ url: `redis://127.0.0.1:${port}`, commandTimeout: 500 }),
        logger: { warn() {} },
      });
      ends.push(() => cache.close());
      return cache;
    };
    const [writer, reader] = [open(address.port), open(address.port)];
    for (const key of KEYS) await writer.set({ key, value: 0, tags: [`t:${key}`] });
    expect(await reader.getMany(KEYS)).toEqual(KEYS.map(() => 0));
    // Replication is asynchronous: everything must be there before the demotion.
    await expect
      .poll(async () => (await nextRaw.keys('cachalot:')).length)
      .toBeGreaterThanOrEqual(KEYS.length);

    await nextRaw.command('REPLICAOF', 'NO', 'ONE');
    const dead = isCutOff ? await freePort() : next.port;
    await oldRaw.command('REPLICAOF', '127.0.0.1', String(dead));
    address.retarget(next.port);
    const demoted = performance.now();
    const since = () => performance.now() - demoted;

    // A process that is with the new primary from the start.
    const other = open(next.port);
    await other.ready();
    let [version, round] = [0, 0];
    const late = { stale: 0, hits: 0, refused: 0 };
    while (since() < LEFT_MS + WATCHED_MS) {
      version++;
      for (const key of KEYS) expect(await other.deleteByTag([`t:${key}`])).toBe(true);
      const began = since();
      const found = await reader.getMany<number>(KEYS);
      if (began < LEFT_MS) continue;
      late.stale += found.filter((value) => value !== undefined && value < version).length;
      const key = `late${round++}`;
      const stored = await reader.set({ key, value: version });
      late.refused += stored ? 0 : 1;
      late.hits += (await other.get(key)) === version ? 1 : 0;
      for (const each of KEYS) await writer.set({ key: each, value: version, tags: [`t:${each}`] });
      await sleep(20);
    }
    expect(round).toBeGreaterThan(10);
    expect(late).toEqual({ stale: 0, hits: round, refused: 0 });
    expect(address.accepted).toBeGreaterThanOrEqual(4);
  },
);
