// Glasswork's CacheStore over every store: its interface, patterns, and what is refused.

import { afterEach, describe, expect, inject, it } from 'vitest';
import {
  CachalotStore,
  type CacheStore,
  DynamoDBCacheStore,
  MemoryCacheStore,
  RedisCacheStore,
} from '../js/adapters/glasswork/index.js';
import { memcached, memory, redis } from '../js/options/config.js';
import { CachalotError } from '../js/shared/errors.js';
import { redisRaw } from './contract/raw-redis.js';
import { uniquePrefix } from './contract/stores.js';
import { ownStores, recorder } from './glasswork/stores.js';
import { startMemcached, startRedis } from './support/servers.js';

const cleanup: Array<() => unknown> = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

const fill = (store: CacheStore, keys: readonly string[]) =>
  Promise.all(keys.map((key) => store.set(key, { key }, 60)));
const alive = async (store: CacheStore, keys: readonly string[]) => {
  const found = await Promise.all(keys.map((key) => store.get(key)));
  return keys.filter((_, at) => found[at] !== undefined);
};

const KEYS = ['user:1', 'user:1:a', 'user:22:a', 'users', 'x:1', 'us?r:1', 'k[1]', 'k'];
/** Patterns for which keys must be listed, and what of them they fit. */
const LISTED: Array<[pattern: string, fitting: string[]]> = [
  ['user*', ['user:1', 'user:1:a', 'user:22:a', 'users']],
  ['*:1', ['user:1', 'x:1', 'us?r:1']],
  ['user:*:a', ['user:1:a', 'user:22:a']],
  ['*s*r*', ['user:1', 'user:1:a', 'user:22:a', 'users', 'us?r:1']],
  ['us?r*', ['us?r:1']],
  ['*[1]', ['k[1]']],
  ['a:b:c:d:e:f:g:h:i:*', []],
];
const UNLISTABLE = LISTED.map(([pattern]) => pattern);

for (const { name, open } of ownStores()) {
  describe(name, () => {
    it('has a name, gets what was set, and undefined for a miss', async () => {
      const store = open();
      expect(store.name).toBe(`cachalot-${name}`);
      expect(await store.get('k')).toBeUndefined();
      for (const value of [null, false, 0, '', [], { a: { b: [1, 'é', '\u{1f433}'] } }]) {
        await store.set('k', value, 60);
        expect(await store.get('k')).toStrictEqual(value);
      }
    });

    it('says whether it has a key, and deletes it', async () => {
      const store = open();
      await store.set('k', 1, 60);
      expect([await store.has('k'), await store.has('other')]).toEqual([true, false]);
      await store.del('k');
      await store.del('other');
      expect(await store.has('k')).toBe(false);
    });

    it('lets a value go when its ttl ends', async () => {
      const store = open();
      await Promise.all([store.set('short', 1, 0.2), store.set('long', 1, 60)]);
      await expect.poll(() => store.get('short'), { timeout: 3000 }).toBeUndefined();
      expect(await store.get('long')).toBe(1);
    });

    it('clears its prefix, and nothing beside it', async () => {
      const [store, same] = [open(), open()];
      const beside = new CachalotStore({ store: spec(name), prefix: uniquePrefix(), logger: {} });
      cleanup.push(() => beside.close());
      await fill(store, ['k', 'a:b:c']);
      await fill(beside, ['k']);
      await store.clear();
      expect(await alive(same, ['k', 'a:b:c'])).toEqual([]);
      expect(await alive(beside, ['k'])).toEqual(['k']);
    });

    it.each<[string, (store: CachalotStore) => Promise<unknown>, RegExp]>([
      ['an empty key', (store) => store.get(''), /key: expected a non-empty string, got an empty string/],
      ['no key', (store) => store.del(undefined as never), /key.*got nothing/],
      [
        'a ttl of 0',
        (store) => store.set('k', 1, 0),
        /ttl: expected a number of seconds above 0, got 0.*del/,
      ],
      ['a negative ttl', (store) => store.set('k', 1, -1), /ttl.*got -1/],
      ['no ttl', (store) => store.set('k', 1, undefined as never), /ttl.*got nothing/],
      ['a ttl in words', (store) => store.set('k', 1, '5m' as never), /ttl.*"5m"/],
      ['NaN as ttl', (store) => store.set('k', 1, Number.NaN), /ttl.*NaN/],
      ['undefined', (store) => store.set('k', undefined, 1), /value.*JSON.*undefined/],
      ['a Map inside', (store) => store.set('k', { tags: new Map() }, 1), /value.*a Map at tags/],
      ['a pattern that is none', (store) => store.delByPattern(7 as never), /pattern: .*got 7/],
    ])('refuses %s', async (_, call, said) => {
      const store = open();
      await store.set('k', 'before', 60);
      await expect(call(store)).rejects.toMatchObject({
        code: 'CACHALOT_CONFIG',
        message: expect.stringMatching(said),
      });
      expect(await store.get('k')).toBe('before');
    });

    describe('delByPattern', () => {
      it('clears a namespace at once, and no set that follows', async () => {
        const store = open();
        const keys = ['user:1', 'user:', 'user:a:b', 'user', 'xuser:1', 'User:1', 'a:user:1'];
        await fill(store, keys);
        expect(await store.get('user:2')).toBeUndefined();
        expect(await store.delByPattern('user:*')).toBeUndefined();
        await store.set('user:2', 'set after it', 60);
        expect(await alive(store, [...keys, 'user:2'])).toEqual([
          'user',
          'xuser:1',
          'User:1',
          'a:user:1',
          'user:2',
        ]);
        expect(await store.delByPattern('*')).toBeUndefined();
        expect(await alive(store, keys)).toEqual([]);
      });

      it('takes a key for itself, and counts it', async () => {
        const store = open();
        await fill(store, ['user:1', 'user:10']);
        expect(await store.delByPattern('user:1')).toBe(1);
        expect(await store.delByPattern('user:1')).toBe(0);
        expect(await alive(store, ['user:1', 'user:10'])).toEqual(['user:10']);
      });

      // What a store does not do is no case of it: none is skipped.
      const [listed, refused] = name === 'memcached' ? [[], UNLISTABLE] : [LISTED, []];

      it.each(refused)('says that memcached cannot serve %s, and what it can', async (pattern) => {
        const store = open();
        await fill(store, KEYS);
        await expect(store.delByPattern(pattern)).rejects.toMatchObject({
          code: 'CACHALOT_UNSUPPORTED',
          message: expect.stringMatching(/memcached cannot list keys.*"\*" works.*"user:\*"/),
        });
        expect(await alive(store, KEYS)).toEqual(KEYS);
      });

      it.each(listed)('clears what %s fits, counts it, and leaves the rest', async (pattern, fitting) => {
        const store = open();
        await fill(store, KEYS);
        expect(await store.delByPattern(pattern)).toBe(fitting.length);
        expect(await alive(store, KEYS)).toEqual(KEYS.filter((key) => !fitting.includes(key)));
        expect(await store.delByPattern(pattern)).toBe(0);
      });

      it.each(name === 'memcached' ? [] : [3000])('goes through %i keys', async (many) => {
        const store = open();
        const keys = Array.from({ length: many }, (_, n) => `n${n}:${n % 2 === 0 ? 'even' : 'odd'}`);
        await fill(store, keys);
        expect(await store.delByPattern('n*:even')).toBe(many / 2);
        expect(await alive(store, keys)).toHaveLength(many / 2);
      });
    });

    it('rejects after it was closed', async () => {
      const store = open();
      await store.close();
      const calls = await Promise.allSettled([
        store.get('k'),
        store.set('k', 1, 1),
        store.del('k'),
        store.has('k'),
        store.clear(),
      ]);
      expect(calls).toMatchObject(
        calls.map(() => ({ status: 'rejected', reason: { code: 'CACHALOT_CLOSED' } })),
      );
    });
  });
}

function spec(kind: string) {
  const servers = inject('servers');
  return kind === 'redis'
    ? redis({ url: servers.redis.url })
    : kind === 'memcached'
      ? memcached({ servers: servers.memcached })
      : memory();
}

describe('on Redis', () => {
  it('deletes no key of another application, and asks no KEYS and no FLUSHDB', async () => {
    const server = await startRedis();
    cleanup.push(() => server.stop());
    const raw = redisRaw(server.port);
    await raw.put('user:1', Buffer.from('of another application'));
    const store = new RedisCacheStore({ url: server.url, logger: {} });
    cleanup.push(() => store.close());
    await fill(store, ['user:1', 'users']);
    for (const pattern of ['user:*', 'us*s', '*', '*e*']) await store.delByPattern(pattern);
    await store.clear();
    expect((await raw.get('user:1'))?.toString()).toBe('of another application');
    const { commands } = await commandsOf(server.port);
    expect(commands.filter((command) => /^(keys|flush)/.test(command))).toEqual([]);
    expect(commands).toContain('scan');
  });
});

/** The commands that a server has seen. */
async function commandsOf(port: number): Promise<{ commands: string[] }> {
  const { connect } = await import('node:net');
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('INFO commandstats\r\n'));
    let reply = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      reply += chunk;
      const length = /^\$(\d+)\r\n/.exec(reply);
      if (length && reply.length >= length[0].length + Number(length[1])) {
        socket.destroy();
        resolve(reply);
      }
    });
    socket.on('error', reject);
  });
  return { commands: [...text.matchAll(/^cmdstat_([\w|]+):/gm)].map(([, name]) => name ?? '') };
}

describe('in an outage', () => {
  it.each(['redis', 'memcached'] as const)('%s: every method rejects', async (kind) => {
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
    await store.set('k', 1, 60);
    await server.kill();
    const calls = await Promise.allSettled([
      store.get('k'),
      store.set('other', 1, 60),
      store.has('k'),
      store.del('k'),
      store.delByPattern('user:*'),
      store.clear(),
    ]);
    const outage = { code: expect.stringMatching(/^CACHALOT_(CONNECTION|TIMEOUT)$/) };
    expect(calls).toMatchObject(calls.map(() => ({ status: 'rejected', reason: outage })));
    expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });
});

describe('the names of Glasswork', () => {
  it('RedisCacheStore and MemoryCacheStore are stores', async () => {
    const { redis: server } = inject('servers');
    const prefix = uniquePrefix();
    const stores = [
      new RedisCacheStore({ url: server.url, prefix, options: { connectionName: 'glasswork' }, logger: {} }),
      new MemoryCacheStore(),
      new MemoryCacheStore({ maxBytes: 1_000_000 }),
    ];
    cleanup.push(...stores.map((store) => () => store.close()));
    expect(stores.map((store) => store.name)).toEqual(['redis', 'memory', 'memory']);
    for (const store of stores) {
      expect(store).toBeInstanceOf(CachalotStore);
      await store.set('k', 1, 60);
      expect(await store.get('k')).toBe(1);
    }
  });

  it('DynamoDBCacheStore says what to use until it is there', () => {
    let thrown: unknown;
    try {
      new DynamoDBCacheStore({ tableName: 'cache', region: 'eu-central-1' });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CachalotError);
    expect(thrown).toMatchObject({
      code: 'CACHALOT_UNSUPPORTED',
      message: expect.stringMatching(/RedisCacheStore.*memcached/),
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no store', () => new CachalotStore({} as never), /"store": expected redis\(\{ url \}\)/],
    ['a URL as store', () => new CachalotStore({ store: 'redis://h' as never }), /"store".*a string/],
    ['an unknown option', () => new CachalotStore({ store: memory(), ttl: 1 } as never), /"ttl"/],
    ['no logger', () => new CachalotStore({ store: memory(), logger: 7 as never }), /"logger"/],
    ['no url', () => new RedisCacheStore({} as never), /"url": expected .*environment variable/],
    [
      'no options at all',
      () => new RedisCacheStore(undefined as never),
      /RedisCacheStore: expected an object/,
    ],
    [
      'two names for one thing',
      () => new RedisCacheStore({ url: 'redis://h', options: {}, redisOptions: {} }),
      /"options" and "redisOptions"/,
    ],
  ])('refuse %s', (_, make, said) => {
    expect(make).toThrow(said);
    expect(make).toThrow(expect.objectContaining({ code: 'CACHALOT_CONFIG' }));
  });
});
