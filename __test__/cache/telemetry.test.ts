// What a cache tells of itself: events, channels, and how an outage looks.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Cache,
  type CacheEventName,
  type CacheOptions,
  createCache,
  memcached,
  memory,
  redis,
} from '../../js/index.js';
import { memcachedRaw } from '../contract/raw-memcached.js';
import { type MemcachedServer, startMemcached, startRedis } from '../support/servers.js';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** Of these servers one that holds neither the epoch nor the record of `*`: without those nothing can be judged. */
async function dispensable(servers: MemcachedServer[]): Promise<MemcachedServer> {
  for (const server of servers) {
    const raw = memcachedRaw([server.port]);
    const held = await Promise.all([raw.get('cachalot!e'), raw.get('cachalot!t:0000000000000000')]);
    if (held.every((value) => value === undefined)) return server;
  }
  throw new Error('every server holds a part of the bookkeeping');
}

function create(options: Partial<CacheOptions> = {}): Cache<unknown> {
  const cache = createCache({ store: memory(), ...options } as CacheOptions);
  open.push(cache);
  return cache;
}

describe('events', () => {
  it('tell what happened, to those who listen', async () => {
    const cache = create({ grace: '1h' });
    const told: [string, unknown][] = [];
    const names: CacheEventName[] = ['hit', 'miss', 'set', 'delete', 'clear', 'factory'];
    const stops = names.map((name) => cache.on(name, (detail) => told.push([name, detail])));
    await cache.namespace('n').getOrSet({ key: 'a', factory: () => 1 });
    await cache.get('n:a');
    await cache.set({ key: 'b', value: 1 });
    await cache.delete('b');
    await cache.expireByTag(['t']);
    await cache.namespace('n').clear();
    expect(told).toEqual([
      ['miss', { key: 'n:a' }],
      ['factory', { key: 'n:a', ms: expect.any(Number), outcome: 'stored' }],
      ['set', { key: 'n:a', stored: true }],
      ['hit', { key: 'n:a', stale: false }],
      ['set', { key: 'b', stored: true }],
      ['delete', { keys: ['b'] }],
      ['clear', { tags: ['t'], soft: true }],
      ['clear', { namespace: 'n', soft: false }],
    ]);
    for (const stop of stops) stop();
    await cache.get('b');
    expect(told).toHaveLength(8);
  });

  it('tell of a set that a clear has made too old, and count it', async () => {
    const cache = create();
    const told: unknown[] = [];
    cache.on('set', (detail) => told.push(detail));
    const factory = async () => {
      await cache.clear();
      return 'read before the clear';
    };
    await cache.getOrSet({ key: 'k', factory });
    expect(await cache.set({ key: 'l', value: 1 })).toBe(true);
    expect(told).toEqual([
      { key: 'k', stored: false },
      { key: 'l', stored: true },
    ]);
    expect(cache.stats()).toMatchObject({ sets: 2, rejectedWrites: 1 });
  });

  it('are published on channels with the prefix', async () => {
    const cache = create({ prefix: 'observed' });
    const seen: unknown[] = [];
    const listener = (message: unknown) => seen.push(message);
    subscribe('cachalot:miss', listener);
    await cache.get('k');
    unsubscribe('cachalot:miss', listener);
    await cache.get('k');
    expect(seen).toEqual([{ prefix: 'observed', key: 'k' }]);
  });

  it('survive a listener that throws', async () => {
    const cache = create();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    cache.on('miss', () => {
      throw new Error('of the listener');
    });
    expect(await cache.get('k')).toBeUndefined();
    expect((await warned).message).toMatch(/A listener of the cache's "miss" threw: of the listener/);
  });
});

describe('what has no text', () => {
  const formless = Object.create(null) as object;

  it('may be thrown by a listener', async () => {
    const cache = create();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    cache.on('miss', () => {
      throw formless;
    });
    expect(await cache.get('k')).toBeUndefined();
    expect((await warned).message).toMatch(/threw: \[object Object\]/);
  });

  it('may be thrown by a refresh behind a value, or by a serializer', async () => {
    const lines: string[] = [];
    const cache = create({
      ttl: 1,
      grace: '1h',
      logger: { warn: (line) => lines.push(line) },
      serializer: {
        serialize: String,
        deserialize: (stored) => {
          if (stored === 'bad') throw formless;
          return stored;
        },
      },
    });
    await cache.set({ key: 'bad', value: 'bad', ttl: '1h' });
    expect(await cache.get('bad')).toBeUndefined();
    await cache.set({ key: 'k', value: 'old' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const failed = new Promise((resolve) => cache.on('refreshFailed', resolve));
    const throwing = () => {
      throw formless;
    };
    expect(await cache.getOrSet({ key: 'k', factory: throwing })).toBe('old');
    expect(await failed).toEqual({ key: 'k', error: formless });
    expect(lines).toContainEqual(expect.stringContaining('"k": [object Object]'));
  });
});

describe('an outage', () => {
  const away = () => redis({ url: 'redis://127.0.0.1:1', commandTimeout: 300 });

  it('misses and answers false, tells events and one line, and getOrSet goes on', async () => {
    const warned: string[] = [];
    const told: string[] = [];
    const logger = { warn: (line: string) => warned.push(line), info: (line: string) => told.push(line) };
    const cache = create({ store: away(), logger });
    const errors: { operation: string; queued: boolean }[] = [];
    cache.on('error', ({ operation, queued }) => errors.push({ operation, queued }));
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    expect(await cache.has('k')).toBe(false);
    expect(await cache.missing('k')).toBe(true);
    expect(await cache.pull('k')).toBeUndefined();
    expect(await cache.set({ key: 'k', value: 1 })).toBe(false);
    expect(await cache.delete('k')).toBe(false);
    expect(await cache.expire('k')).toBe(false);
    expect(await cache.deleteByTag(['t'])).toBe(false);
    expect(await cache.clear()).toBe(false);
    let runs = 0;
    const factory = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return ++runs;
    };
    const calls = Array.from({ length: 10 }, () => cache.getOrSet({ key: 'k', factory }));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1]));
    expect(errors).toContainEqual({ operation: 'get', queued: false });
    expect(errors).toContainEqual({ operation: 'deleteByTag', queued: true });
    expect(cache.stats().errors.CACHALOT_CONNECTION).toBeGreaterThan(5);
    expect(warned).toEqual([expect.stringContaining('127.0.0.1:1')]);
    expect(told).toEqual([expect.stringContaining('A clear is kept')]);
  });

  it('joins no caller to a factory that began before a clear of this process', async () => {
    const cache = create({ store: away() });
    let open = () => {};
    const began = new Promise<void>((resolve) => {
      open = resolve;
    });
    let finish = () => {};
    const slow = cache.getOrSet({
      key: 'k',
      factory: () => {
        open();
        return new Promise((resolve) => {
          finish = () => resolve('old');
        });
      },
    });
    await began;
    expect(await cache.delete('k')).toBe(false);
    const after = cache.getOrSet({ key: 'k', factory: () => 'new' });
    setTimeout(() => finish(), 50);
    expect(await Promise.all([slow, after])).toEqual(['old', 'new']);
  });

  it('of one memcached server of several is misses of its keys alone', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => startMemcached()));
    try {
      const store = memcached({ servers: servers.map(({ address }) => address), commandTimeout: 300 });
      const cache = create({ store });
      const keys = Array.from({ length: 60 }, (_, at) => `k${at}`);
      await cache.setMany(keys.map((key) => ({ key, value: key })));
      await (await dispensable(servers)).kill();
      const values = await cache.getMany(keys);
      const single = await Promise.all(keys.map((key) => cache.get(key)));
      expect(values).toEqual(single);
      expect(values).toContain(undefined);
      expect(values.filter(Boolean).length).toBeGreaterThan(0);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });

  it('rejects with errors: throw, but for what getOrSet cannot store', async () => {
    const cache = create({ store: away(), errors: 'throw' });
    const code = expect.stringMatching(/CACHALOT_(CONNECTION|TIMEOUT)/);
    await expect(cache.get('k')).rejects.toMatchObject({ code });
    await expect(cache.set({ key: 'k', value: 1 })).rejects.toMatchObject({ code });
    await expect(cache.delete('k')).rejects.toMatchObject({ code, queued: true });
    await expect(cache.clear()).rejects.toMatchObject({ code, queued: true });
    await expect(cache.getOrSet({ key: 'k', factory: () => 1 })).rejects.toMatchObject({ code });
  });

  it('replays the clears made in it before the first read after it', async () => {
    const server = await startRedis();
    try {
      const cache = create({ store: redis({ url: server.url, commandTimeout: 300 }) });
      await cache.set({ key: 'k', value: 'old', tags: ['t'] });
      server.pause();
      expect(await cache.deleteByTag(['t'])).toBe(false);
      server.resume();
      await expect.poll(() => cache.set({ key: 'other', value: 1 }), { timeout: 5000 }).toBe(true);
      expect(await cache.get('k')).toBeUndefined();
    } finally {
      await server.stop();
    }
  });
});
