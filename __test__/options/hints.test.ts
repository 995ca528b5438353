// What an error suggests: what another library calls it, a slip of the keyboard, or nothing.

import { describe, expect, it } from 'vitest';
import { cachalotBusDriver, cachalotDriver } from '../../js/adapters/bentocache/index.js';
import { CachalotKeyv } from '../../js/adapters/keyv/index.js';
import { memcachedFace, memoryFace, redisFace } from '../../js/adapters/medusa/options.js';
import { memcachedSettings, memorySettings, redisSettings } from '../../js/adapters/medusa-cache/options.js';
import { type Cache, createCache } from '../../js/index.js';
import { memcached, memory, redis } from '../../js/options/config.js';
import { refusal } from './refusal.js';

const url = 'redis://127.0.0.1:1';
const store = memory();
const calls: Record<string, (options: object) => unknown> = {
  'redis()': (options) => redis({ url, ...options }),
  'memcached()': (options) => memcached(options),
  'memory()': (options) => memory(options),
  createCache: (options) => createCache({ store, ...options } as never),
  'medusa/redis': (options) => redisFace.settings({ redisUrl: url, ...options }),
  'medusa/memcached': (options) => memcachedFace.settings(options),
  'medusa/memory': (options) => memoryFace.settings(options),
  'medusa/cache/redis': (options) => redisSettings({ redisUrl: url, ...options }),
  'medusa/cache/memcached': (options) => memcachedSettings(options),
  'medusa/cache/memory': (options) => memorySettings(options),
  keyv: (options) => new CachalotKeyv({ store, ...options }),
  bentocache: (options) => cachalotDriver({ store, ...options }),
  bus: (options) => cachalotBusDriver({ store: redis(url), ...options }),
};

it.each([
  ['redis()', 'redisUrl', 'url'],
  ['redis()', 'connection', 'url'],
  ['redis()', 'uri', 'url'],
  ['redis()', 'namespace', 'prefix'],
  ['redis()', 'keyPrefix', 'prefix'],
  ['redis()', 'timeout', 'commandTimeout'],
  ['redis()', 'gzip', 'compression'],
  ['redis()', 'user', 'username'],
  ['redis()', 'compressionThr', 'compressionThreshold', 'closest valid option is'],
  ['redis()', 'database', 'db'],
  ['memcached()', 'serverUrls', 'servers'],
  ['memcached()', 'location', 'servers'],
  ['memcached()', 'hosts', 'servers'],
  ['memcached()', 'cachePrefix', 'prefix'],
  ['memcached()', 'host', 'servers'],
  ['memory()', 'maxSize', 'maxBytes'],
  ['memory()', 'namespace', 'prefix'],
  ['createCache', 'url', 'store: redis({ url })'],
  ['createCache', 'servers', 'store: memcached({ servers })'],
  ['createCache', 'connection', 'store'],
  ['createCache', 'namespace', 'prefix'],
  ['createCache', 'stdTTL', 'ttl'],
  ['createCache', 'gracePeriod', 'grace'],
  ['createCache', 'expires', 'ttl'],
  ['medusa/redis', 'url', 'redisUrl'],
  ['medusa/redis', 'namespace', 'prefix'],
  ['medusa/redis', 'defaultTtl', 'ttl'],
  ['medusa/memcached', 'servers', 'serverUrls'],
  ['medusa/memcached', 'location', 'serverUrls'],
  ['medusa/memcached', 'ttl', 'defaultTtl'],
  ['medusa/memcached', 'prefix', 'cachePrefix'],
  ['medusa/memory', 'namespace', 'prefix'],
  ['medusa/cache/redis', 'url', 'redisUrl'],
  ['medusa/cache/redis', 'prefix', 'namespace'],
  ['medusa/cache/memcached', 'serverUrls', 'location'],
  ['medusa/cache/memory', 'keyPrefix', 'namespace'],
  ['keyv', 'url', 'store: redis({ url })'],
  ['bentocache', 'connection', 'store: redis({ url })'],
  ['bus', 'connection', 'store: redis({ url })'],
  ['medusa/redis', 'redisurl', 'redisUrl', 'closest valid option is'],
  ['medusa/redis', 'redsiUrl', 'redisUrl', 'closest valid option is'],
  ['createCache', 'lgoger', 'logger', 'closest valid option is'],
  ['createCache', 'compute', undefined],
  ['createCache', 'id', undefined],
  ['redis()', 'x', undefined],
  ['redis()', 'frobnicate', undefined],
  ['memory()', 'persistent', undefined],
  ['bentocache', 'connectionName', undefined],
] as [string, string, string | undefined, string?][])('%s: %s', (face, name, meant, how = 'It is called') => {
  const { code, message } = refusal(() => calls[face]?.({ [name]: 5 }));
  expect(code).toBe('CACHALOT_CONFIG');
  expect(message).toContain(`unknown option "${name}"`);
  if (meant === undefined) {
    expect(message).toMatch(/"\. All are: \w+, /);
  } else {
    expect(message).toContain(how);
    expect(message).toMatch(new RegExp(`"${meant.replace(/[^\w].*/, '')}"`));
    expect(message).toContain(meant);
  }
});

it('host and port are one address', () => {
  for (const name of ['host', 'port']) {
    expect(refusal(() => redis({ [name]: 'cache', url } as never)).message).toContain(
      `unknown option "${name}". It is called "url" here: write host and port as one address, url: 'redis://host:port'`,
    );
  }
});

describe('a call of another library', () => {
  const cases: [(cache: Cache<unknown>) => unknown, string][] = [
    [
      (c) => (c.set as (...given: unknown[]) => unknown).call(c, 'k', 1),
      'set: options: expected an object, as in set({ key: "k", value, ttl, grace, tags }), got "k"',
    ],
    [(c) => c.put('k' as never), 'put: options: expected an object, as in put({ key: "k", value'],
    [(c) => c.setForever('k' as never), 'as in setForever({ key: "k", value, tags }), got "k"'],
    [(c) => c.getOrSet('k' as never), 'as in getOrSet({ key: "k", factory, tags, '],
    [(c) => c.getOrSetForever('k' as never), 'as in getOrSetForever({ key: "k", factory'],
    [
      (c) => c.deleteByTag('x' as never),
      'deleteByTag: options: expected an object, as in deleteByTag({ tags: ["x"] }), got "x"',
    ],
    [(c) => c.expireByTag('x' as never), 'as in expireByTag({ tags: ["x"] }), got "x"'],
    [(c) => c.deleteMany('k' as never), 'as in deleteMany({ keys: ["k"] }), got "k"'],
    [(c) => c.getMany('k' as never), 'as in getMany({ keys: ["k"] }), got "k"'],
    [(c) => c.setMany('k' as never), 'as in setMany({ entries'],
    [
      (c) => c.setMany([['k', 1]] as never),
      'setMany: entries[0]: options: expected an object, as in setMany({ ',
    ],
    [(c) => c.set({ key: 'k', data: 1 } as never), 'set: unknown option "data". It is called "value" here'],
    [
      (c) => c.getOrSet({ key: 'k', fn: () => 1 } as never),
      'unknown option "fn". It is called "factory" here',
    ],
    [
      (c) => c.set({ key: 'k', value: 1, expires: 5 } as never),
      'unknown option "expires". It is called "ttl" here',
    ],
    [
      (c) => c.set({ key: 'k', value: 1, zzz: 5 } as never),
      'unknown option "zzz". All are: key, value, ttl, grace, tags',
    ],
    [
      (c) => c.set({ key: 'users:1', value: new Map() }),
      'set: key "users:1": value: expected a value that JSON can hold, got a Map',
    ],
    [
      (c) => c.wrap('k', (() => 1) as never, undefined as never),
      'wrap: fn: expected a function, got nothing. It is called as wrap("k", ttl, fn).',
    ],
    [
      (c) => c.wrapSWR('k', 1, 2, undefined as never),
      'wrapSWR: fn: expected a function, got nothing. It is called as wrapSWR("k", stale, max, fn).',
    ],
  ];
  it.each(cases)('is told what it is here (%#)', async (call, said) => {
    const cache = createCache({ store: memory() }) as Cache<unknown>;
    await expect(Promise.resolve().then(() => call(cache))).rejects.toMatchObject({
      code: 'CACHALOT_CONFIG',
      message: expect.stringContaining(said),
    });
    await cache.close();
  });
});
