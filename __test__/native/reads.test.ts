// Gets that follow each other: this thread reads their replies itself (docs/decisions/0013), and gives the reading back.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { NativeStore, type StoreEvent } from '../../js/store/native-store.js';
import { uniquePrefix } from '../contract/stores.js';
import { proxy } from '../support/proxy.js';
import { type RedisServer, startRedis } from '../support/servers.js';
import { runtimeRuns } from './runtime-runs.mjs';

const { redis, memcached } = inject('servers');
const COMMAND_MS = 400;
const MINUTE = 60_000;

/** Where replies are read here, and where the system tells of it. */
const LINUX = process.platform === 'linux';

function redisStore(
  port: number,
  prefix = uniquePrefix(),
  onEvent?: (event: StoreEvent) => void,
): NativeStore {
  const endpoint = { host: '127.0.0.1', port };
  const timeouts = { connectMs: COMMAND_MS, commandMs: COMMAND_MS };
  return new NativeStore({ prefix, backend: { type: 'redis', endpoint, timeouts } }, onEvent);
}

/** Asked one by one until this thread reads, and then that often. */
async function follow(store: NativeStore, key: string, times = 20): Promise<unknown> {
  let value: unknown;
  for (let n = 0; n < times; n++) value = await store.get(key);
  return value;
}

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

describe.each([
  ['redis', () => redisStore(redis.port)],
  [
    'memcached',
    () => {
      const [host, port] = (memcached[0] as string).split(':') as [string, string];
      const servers = [{ host, port: Number(port) }];
      return new NativeStore({ prefix: uniquePrefix(), backend: { type: 'memcached', servers } });
    },
  ],
])('%s', (_, open) => {
  let store: NativeStore;

  beforeEach(() => {
    store = open();
  });

  afterEach(async () => {
    await store.close();
  });

  it('answers large values, compressed ones and small ones in turns', async () => {
    const values = {
      small: 'x'.repeat(1_000),
      packed: 'whale'.repeat(100_000),
      large: Array.from({ length: 20_000 }, (_, n) => n * 7919),
      edge: 'y'.repeat(4_000),
    };
    for (const [key, value] of Object.entries(values)) {
      await store.set(key, JSON.stringify(value), MINUTE, ['t'], true);
    }
    for (let round = 0; round < 3; round++) {
      for (const [key, value] of Object.entries(values)) {
        expect(await follow(store, 'small', 150)).toEqual(values.small);
        expect(await store.get(key)).toEqual(value);
        expect(await Promise.all([store.get(key), follow(store, 'small', 3)])).toEqual([value, values.small]);
      }
    }
  });

  if (LINUX) {
    it('wakes no other thread', async () => {
      await store.set('k', '1', MINUTE, ['t'], true);
      await follow(store, 'k');
      const before = runtimeRuns();
      await follow(store, 'k', 500);
      expect(runtimeRuns() - before).toBeLessThan(100);
    });

    it('leaves no descriptor behind', async () => {
      const count = () => readdirSync('/proc/self/fd').length;
      await follow(store, 'k');
      const before = count();
      for (let n = 0; n < 20; n++) {
        const other = open();
        await follow(other, 'k');
        await other.close();
      }
      // The last one goes with the next delivery.
      await follow(store, 'k');
      await sleep(50);
      await follow(store, 'k');
      expect(count()).toBeLessThanOrEqual(before + 1);
    });
  }
});

describe('what else comes on the connection', () => {
  it('is heard in order, before the replies that follow it', async () => {
    const store = redisStore(redis.port);
    const heard: string[] = [];
    await store.subscribe('c', (text) => void heard.push(text));
    for (let n = 0; n < 100; n++) {
      await follow(store, 'none', n % 10);
      // The server sends the message first, and then says to how many.
      await store.publish('c', String(n));
    }
    await expect.poll(() => heard).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
    await store.close();
  });

  it('makes a clear of another store felt by the next get', async () => {
    const prefix = uniquePrefix();
    const [reader, writer] = [redisStore(redis.port, prefix), redisStore(redis.port, prefix)];
    for (let n = 0; n < 50; n++) {
      await writer.set('k', String(n), MINUTE, ['t'], true);
      expect(await follow(reader, 'k')).toBe(n);
      await writer.clear({ tags: ['t'] });
      expect(await reader.get('k')).toBeUndefined();
    }
    await Promise.all([reader.close(), writer.close()]);
  });
});

describe('a wire that breaks', () => {
  let server: RedisServer;
  let wire: Awaited<ReturnType<typeof proxy>>;
  let store: NativeStore;

  beforeEach(async () => {
    server = await startRedis();
    wire = await proxy(server.port);
    store = redisStore(wire.port);
    await store.set('k', '1', MINUTE, ['t'], true);
    expect(await follow(store, 'k')).toBe(1);
  });

  afterEach(async () => {
    await store.close();
    await wire.stop();
    await server.stop();
  });

  it('by a frozen server is a timeout, and is used again', async () => {
    server.pause();
    const since = performance.now();
    await expect(store.get('k')).rejects.toMatchObject({ code: 'CACHALOT_TIMEOUT' });
    expect(performance.now() - since).toBeLessThan(COMMAND_MS + 200);
    server.resume();
    await expect.poll(() => store.get('k').catch(() => undefined), { timeout: 3_000 }).toBe(1);
  });

  it('by a hang-up fails what waits at once, and what follows finds the next connection', async () => {
    wire.blackHole();
    const waits = store.get('k');
    await sleep(20);
    wire.pass();
    wire.cut();
    const since = performance.now();
    await waits.catch((error) => expect(error).toMatchObject({ code: 'CACHALOT_CONNECTION' }));
    expect(performance.now() - since).toBeLessThan(COMMAND_MS / 2);
    expect(await follow(store, 'k')).toBe(1);
  });

  it('into pieces still gives whole replies', async () => {
    const text = 'z'.repeat(2_000);
    await store.set('long', JSON.stringify(text), MINUTE, [], true);
    await follow(store, 'k');
    wire.drip(20_000);
    expect(await store.get('long')).toBe(text);
    wire.pass();
    expect(await follow(store, 'long', 200)).toBe(text);
  });

  it('not, but this thread is busy for longer than commandTimeout: the reply is in time', async () => {
    // Past the wire, which is of this thread too.
    const events: unknown[] = [];
    const direct = redisStore(server.port, uniquePrefix(), (event) => events.push(event));
    await direct.set('k', '1', MINUTE, ['t'], true);
    await follow(direct, 'k');
    const answer = direct.get('k');
    await new Promise(process.nextTick);
    busy(COMMAND_MS * 2);
    expect(await answer).toBe(1);
    expect(await follow(direct, 'k')).toBe(1);
    expect(events).toMatchObject([{ type: 'connected' }]);
    await direct.close();
  });

  it('not, and a store that is closed answers what it was asked', async () => {
    const answers = [store.get('k'), store.close()];
    expect((await Promise.all(answers))[0]).toBe(1);
    await expect.poll(() => wire.connections).toBe(0);
  });
});

describe('a process', () => {
  async function run(scene: string, variables: Record<string, string> = {}) {
    const file = fileURLToPath(new URL('./reads.mjs', import.meta.url));
    const child = spawn(process.execPath, [file, scene, String(redis.port)], {
      timeout: 60_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...variables },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.stderr.on('data', (data) => {
      err += data;
    });
    const [code, signal] = await once(child, 'close');
    return { code, signal, out: out.trim(), err };
  }

  if (LINUX) {
    it('leaves the reading to the core, if CACHALOT_DIRECT_READS is 0', async () => {
      expect(await run('woken')).toMatchObject({ code: 0, out: 'slept' });
      expect(await run('woken', { CACHALOT_DIRECT_READS: '1' })).toMatchObject({ code: 0, out: 'slept' });
      expect(await run('woken', { CACHALOT_DIRECT_READS: '0' })).toMatchObject({ code: 0, out: 'woken' });
    });
  }

  it.each([
    ['ends by itself with a connection that it read', 'ends', 'read 50'],
    ['hears what its answers lead to', 'throws', 'caught mine, read 20'],
    ['exits while it waits for a reply', 'exits', 'read 20'],
    ['survives threads that end while they read', 'threads', 'ended 200'],
    ['survives that they take the library with them', 'library', 'ended 200'],
  ])('%s', { timeout: 70_000 }, async (_, scene, out) => {
    expect(await run(scene)).toEqual({ code: 0, signal: null, out, err: '' });
  });
});
