// What becomes of the process itself: it ends by itself, survives its threads, and stays small.

import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { memoryStore, type OpenOptions, type StoreUnderTest, uniquePrefix } from '../contract/stores.js';
import { freePort } from '../support/ports.js';
import { runNode } from '../support/processes.js';
import { proxy } from '../support/proxy.js';
import { KINDS, type Kind, storeAt } from './scenes.js';

const script = (name: string) => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));
const config = (store: StoreUnderTest, more: object = {}) =>
  JSON.stringify({ ...store.options({ prefix: uniquePrefix('p') } as OpenOptions), ...more });

function shared(kind: Kind): StoreUnderTest {
  const { redis, memcached } = inject('servers');
  return storeAt(kind, kind === 'memcached' ? Number(memcached[0]?.split(':')[1]) : redis.port);
}

/** From the last answer to the end of the process. */
const IDLE_MS = 1_000;

test.each(KINDS)(
  '%s: an idle process with an open provider exits by itself (caching-redis: kept it from exiting)',
  async (kind) => {
    const ended = await runNode(script('idle'), {
      args: [config(shared(kind), { expect: 'value' })],
      timeoutMs: 15_000,
    });
    expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
    expect(JSON.parse(ended.stdout)).toEqual({ got: 'value' });
    expect(ended.stderr).toMatch(/idle \d+/);
    expect(Number(/idle (\d+)/.exec(ended.stderr)?.[1])).toBeLessThan(IDLE_MS);
  },
);

test('memory: an idle process with an open provider exits by itself', async () => {
  const ended = await runNode(script('idle'), {
    args: [config(memoryStore(), { expect: 'value' })],
    timeoutMs: 15_000,
  });
  expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
  expect(JSON.parse(ended.stdout)).toEqual({ got: 'value' });
});

test.each(KINDS)('%s: so does one whose server is away, or hangs', async (kind) => {
  const away = storeAt(kind, await freePort());
  const gone = await runNode(script('idle'), { args: [config(away)], timeoutMs: 15_000 });
  expect(gone, gone.stderr).toMatchObject({ code: 0, timedOut: false });
  expect(JSON.parse(gone.stdout)).toEqual({ got: null });
  const { redis, memcached } = inject('servers');
  const wire = await proxy(kind === 'memcached' ? Number(memcached[0]?.split(':')[1]) : redis.port);
  wire.blackHole();
  try {
    const hung = await runNode(script('idle'), {
      args: [config(storeAt(kind, wire.port))],
      timeoutMs: 15_000,
    });
    expect(hung, hung.stderr).toMatchObject({ code: 0, timedOut: false });
    expect(JSON.parse(hung.stdout)).toEqual({ got: null });
    // Three calls of a second each, one after the other, and the start of a process.
    expect(hung.ms, `${hung.stderr} gone ${gone.ms} ${gone.stderr}`).toBeLessThan(6_000);
  } finally {
    await wire.stop();
  }
});

test.each(KINDS)('%s: a provider that did nothing yet does not hold the process either', async (kind) => {
  const ended = await runNode(script('idle'), {
    args: [config(shared(kind), { only: 'open' })],
    timeoutMs: 15_000,
  });
  expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
  expect(ended.ms).toBeLessThan(4_000);
});

test.each([...KINDS, 'memory' as const])(
  '%s: worker threads are terminated with requests in flight, and the process goes on',
  async (kind) => {
    const store = kind === 'memory' ? memoryStore() : shared(kind);
    const ended = await runNode(script('terminate'), { args: [config(store)], timeoutMs: 60_000 });
    expect(ended, `${ended.signal} ${ended.stderr}`).toMatchObject({ code: 0, timedOut: false });
    const told = JSON.parse(ended.stdout) as { terminated: number; inFlight: number; got: unknown };
    expect(told).toMatchObject({ terminated: 20, got: 'still here' });
    expect(told.inFlight).toBeGreaterThan(0);
  },
  70_000,
);

test.each(['redis with tracking', 'memcached'] as const)(
  '%s: a flood in an outage stays bounded in memory, and every call settles',
  async (kind) => {
    const { redis, memcached } = inject('servers');
    const wire = await proxy(kind === 'memcached' ? Number(memcached[0]?.split(':')[1]) : redis.port);
    try {
      const store = storeAt(kind, wire.port);
      const child = runNode(script('flood'), {
        args: [config(store, { sets: 8_000, bytes: 100_000, clears: 8_000 })],
        // V8 puts off collecting while it may grow: what counts is what is held.
        execArgv: ['--max-old-space-size=128'],
        timeoutMs: 60_000,
      });
      wire.blackHole();
      const ended = await child;
      expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
      const told = JSON.parse(ended.stdout) as {
        settled: number;
        failed: number;
        slowestMs: number;
        rssMb: number;
        baseMb: number;
      };
      console.log(`flood, ${kind}: ${ended.stdout.trim()}`);
      expect(told.settled).toBe(24_000);
      expect(told.failed).toBe(0);
      // 800 MB were given to it. A second is the default deadline.
      expect(told.slowestMs).toBeLessThan(2_000);
      expect(told.rssMb - told.baseMb).toBeLessThan(300);
    } finally {
      await wire.stop();
    }
  },
  70_000,
);
