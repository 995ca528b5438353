// A primary that three sentinels watch, and its failover.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCache, redis } from '../js/index.js';
import { redisRaw } from './contract/raw-redis.js';
import { freePort } from './support/ports.js';
import { NAME, type SentinelSet, startSentinels } from './support/sentinels.js';

let set: SentinelSet;
beforeEach(async () => {
  set = await startSentinels();
}, 60_000);
afterEach(() => set.stop());

type Options = Parameters<typeof redis>[0] & object;
const open = (options: Options) =>
  createCache({ store: redis({ connectTimeout: 1500, ...options }), errors: 'throw' });

async function refusal(options: Options): Promise<string> {
  const cache = open(options);
  try {
    await cache.ping();
  } catch (why) {
    return (why as Error).message;
  } finally {
    await cache.close();
  }
  return 'it was connected';
}

test('it is found by its name, whichever sentinel is there, in our words and in those of ioredis', async () => {
  const [first = '', ...others] = set.nodes;
  const dead = `127.0.0.1:${await freePort()}`;
  const [host, port] = first.split(':');
  for (const options of [
    { sentinel: { name: NAME, nodes: set.nodes } },
    { sentinel: { name: NAME, nodes: [dead, ...others] } },
    { redisOptions: { sentinels: [{ host, port: Number(port) }], name: NAME } },
  ]) {
    expect(await refusal(options)).toBe('it was connected');
  }
  expect(await refusal({ sentinel: { name: 'nobody', nodes: set.nodes } })).toMatch(
    /no sentinel knows.*"nobody"/,
  );
  expect(await refusal({ sentinel: { name: NAME, nodes: [dead] } })).toMatch(/No sentinel told/);
  const notOne = { name: NAME, nodes: [`127.0.0.1:${set.primary.port}`] };
  expect(await refusal({ sentinel: notOne })).toMatch(/did not answer as a sentinel/);
  // The other one, where the first is said to be.
  const natMap = { [`127.0.0.1:${set.primary.port}`]: { host: '127.0.0.1', port: set.replica.port } };
  expect(await refusal({ sentinel: { name: NAME, nodes: set.nodes, natMap } })).toMatch(/is a replica/);
});

test('a killed primary is replaced within 5 s of the promotion, and nothing that was cleared comes back', async () => {
  const cache = open({ sentinel: { name: NAME, nodes: set.nodes } });
  try {
    for (let i = 0; i < 50; i++) {
      await cache.set({ key: `k${i}`, value: i, tags: [i % 2 === 0 ? 'even' : 'odd'] });
    }
    await cache.deleteByTag({ tags: ['even'] });
    await sleep(300);
    await set.primary.kill();
    // A clear of the outage is kept.
    const cleared = await cache
      .deleteByTag({ tags: ['odd'] })
      .catch((why: { queued?: boolean }) => why.queued);
    expect(cleared).toBe(true);
    while ((await set.told()) === set.primary.port) await sleep(20);
    const promoted = Date.now();
    for (;;) {
      const stored = await cache.set({ key: 'new', value: 'here' }).catch(() => false);
      if (stored) break;
      expect(Date.now() - promoted).toBeLessThan(5000);
      await sleep(20);
    }
    expect(await cache.get('new')).toBe('here');
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    expect(await cache.getMany(keys)).toEqual(keys.map(() => undefined));
  } finally {
    await cache.close();
  }
}, 60_000);

/** The server that lists the connection of this name. */
async function connectedTo(name: string): Promise<number> {
  for (const { port } of [set.primary, set.replica]) {
    const list = String(await redisRaw(port).command('CLIENT', 'LIST'));
    if (list.includes(` name=${name} `)) return port;
  }
  return 0;
}

test('a primary that was demoted while it was up is left', async () => {
  const cache = open({ sentinel: { name: NAME, nodes: set.nodes }, connectionName: 'shop' });
  try {
    await cache.set({ key: 'k', value: 1 });
    expect(await connectedTo('shop')).toBe(set.primary.port);
    await redisRaw(Number(set.nodes[0]?.split(':')[1])).command('SENTINEL', 'FAILOVER', NAME);
    const deadline = Date.now() + 15_000;
    while ((await connectedTo('shop')) !== set.replica.port) {
      expect(Date.now()).toBeLessThan(deadline);
      await cache.set({ key: 'k', value: 2 }).catch(() => false);
      await sleep(50);
    }
    expect(await cache.set({ key: 'k', value: 3 })).toBe(true);
  } finally {
    await cache.close();
  }
}, 60_000);

test('a primary that is frozen is left, and what it held when it goes on is not read', async () => {
  const cache = open({ sentinel: { name: NAME, nodes: set.nodes }, connectionName: 'shop' });
  try {
    await cache.set({ key: 'k', value: 'old' });
    await sleep(300);
    set.primary.pause();
    while ((await set.told()) === set.primary.port) await sleep(20);
    const promoted = Date.now();
    while (
      !(await cache.delete('k').then(
        () => true,
        () => false,
      ))
    ) {
      expect(Date.now() - promoted).toBeLessThan(5000);
      await sleep(20);
    }
    set.primary.resume();
    const end = Date.now() + 1500;
    while (Date.now() < end) {
      expect(await cache.get('k')).toBeUndefined();
      await sleep(5);
    }
    expect(await connectedTo('shop')).toBe(set.replica.port);
  } finally {
    set.primary.resume();
    await cache.close();
  }
}, 60_000);
