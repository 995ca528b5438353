// `Cache` among processes: one factory for all of them, holders that die, and a process that was frozen.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, test } from 'vitest';
import { uniquePrefix } from '../contract/stores.js';
import { type NodeChild, runNode, startNode } from '../support/processes.js';
import { type MemcachedServer, type RedisServer, startMemcached, startRedis } from '../support/servers.js';

const script = (name: string) => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));

interface Place {
  kind: 'redis' | 'memcached' | 'memory';
  options: object;
}

function places(): (Place & { name: string })[] {
  const { redis, memcached } = inject('servers');
  return [
    { name: 'redis', kind: 'redis', options: { url: redis.url } },
    { name: 'memcached', kind: 'memcached', options: { servers: memcached.slice(0, 1) } },
    { name: 'memcached, three servers', kind: 'memcached', options: { servers: memcached } },
  ];
}

const children: NodeChild[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

async function caller(place: Place, prefix: string, cache: object = {}): Promise<NodeChild> {
  const config = JSON.stringify({ ...place, options: { ...place.options, prefix }, cache });
  const child = startNode(script('caller'), { args: [config], timeoutMs: 120_000 });
  children.push(child);
  await child.next();
  return child;
}

function ask<T>(child: NodeChild, command: string, asked: object): Promise<T> {
  child.send({ command, ...asked });
  return child.next<T>();
}

interface Called {
  runs: number;
  values: string[];
  ms: number;
}

describe.each(places())('$name', (place) => {
  it('runs one factory for 4 processes of 50 calls each on one cold key', async () => {
    const prefix = uniquePrefix();
    const callers = await Promise.all([1, 2, 3, 4].map(() => caller(place, prefix)));
    for (const key of ['one', 'two', 'three']) {
      const before = await Promise.all(
        callers.map((child) =>
          ask<Called>(child, 'call', { key: 'warm', calls: 1, factory: 'count', ms: 1 }),
        ),
      );
      const runsBefore = before.reduce((sum, { runs }) => sum + runs, 0);
      const called = await Promise.all(
        callers.map((child) => ask<Called>(child, 'call', { key, calls: 50, factory: 'count', ms: 100 })),
      );
      expect(called.reduce((sum, { runs }) => sum + runs, 0) - runsBefore).toBe(1);
      expect(new Set(called.flatMap(({ values }) => values)).size).toBe(1);
    }
  });

  it('goes on without a process that was killed while it computed', async () => {
    const prefix = uniquePrefix();
    const [dying, living] = await Promise.all([caller(place, prefix), caller(place, prefix)]);
    dying.send({ command: 'call', key: 'k', calls: 1, factory: 'hang' });
    expect(await dying.next()).toEqual({ hanging: true });
    dying.kill('SIGKILL');
    const impatient = ask<Called>(living, 'call', {
      key: 'k',
      calls: 3,
      factory: 'count',
      ms: 1,
      hardTimeout: 300,
    });
    const { values, ms } = await impatient;
    expect(values).toEqual([JSON.stringify({ code: 'CACHALOT_FACTORY_TIMEOUT' })]);
    // Not the dead process's lock: its own `hardTimeout` bounds what it waits.
    expect(ms).toBeLessThan(1_000);
    const patient = await ask<Called>(living, 'call', { key: 'k', calls: 3, factory: 'count', ms: 1 });
    expect(patient).toMatchObject({ runs: 1, values: [JSON.stringify({ by: living.process.pid })] });
    // The lock of a dead process lasts 5 s; memcached counts whole seconds.
    expect(patient.ms).toBeLessThan(8_000);
  });
});

describe('a process that was frozen for a minute', () => {
  const servers: (RedisServer | MemcachedServer)[] = [];
  let frozen: Place[] = [];
  beforeAll(async () => {
    const { redis, memcached } = inject('servers');
    // These give up idle connections meanwhile, as managed ones do.
    const [hasty, hastier] = await Promise.all([
      startRedis({ args: ['--timeout', '15'] }),
      startMemcached({ args: ['-o', 'idle_timeout=15'] }),
    ]);
    servers.push(hasty, hastier);
    frozen = [
      { kind: 'redis', options: { url: redis.url } },
      { kind: 'memcached', options: { servers: memcached } },
      { kind: 'redis', options: { url: hasty.url } },
      { kind: 'memcached', options: { servers: [hastier.address] } },
      { kind: 'memory', options: {} },
    ];
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  it('answers its first call within its deadline', { timeout: 120_000 }, async () => {
    const callers = await Promise.all(frozen.map((place) => caller(place, uniquePrefix())));
    for (const child of callers) {
      expect(await ask(child, 'set', { key: 'k', value: 'kept' })).toEqual({ stored: true });
      expect(await ask(child, 'get', { key: 'k' })).toMatchObject({ value: 'kept' });
    }
    for (const child of callers) child.kill('SIGSTOP');
    await sleep(60_000);
    for (const [at, child] of callers.entries()) {
      child.send({ command: 'get', key: 'k' });
      child.kill('SIGCONT');
      const { value, ms } = await child.next<{ value: unknown; ms: number }>();
      expect({ place: frozen[at], value }).toEqual({ place: frozen[at], value: 'kept' });
      expect(ms).toBeLessThan(1_000);
    }
  });
});

describe('an idle process', () => {
  it.each([...places(), { name: 'memory', kind: 'memory' as const, options: {} }])(
    'with an open cache on $name, and a refresh that hangs, ends by itself',
    async (place) => {
      const config = JSON.stringify({ ...place, options: { ...place.options, prefix: uniquePrefix() } });
      const ended = await runNode(script('idle'), { args: [config], timeoutMs: 15_000 });
      expect(ended, ended.stderr).toMatchObject({ code: 0, timedOut: false });
      expect(JSON.parse(ended.stdout)).toEqual(['old', 'old']);
      expect(Number(/idle (\d+)/.exec(ended.stderr)?.[1])).toBeLessThan(2_000);
    },
  );
});

test('one more cache takes less than 100 KB', async () => {
  const { stdout, stderr } = await runNode(script('footprint'), { args: [], timeoutMs: 15_000 });
  expect(Number(stdout), stderr).toBeGreaterThan(0);
  expect(Number(stdout)).toBeLessThan(100 * 1024);
});
