// Ours: the provider as Medusa builds it, and `createCache`. Loaded through the package's own exports.

import { createRequire } from 'node:module';
import { logger, memcachedAddress, redisUrl, TTL } from './connection.mjs';

const require = createRequire(new URL('../../package.json', import.meta.url));

const provider = (name, server, open) => ({
  name,
  server,
  ours: true,
  tagged: true,
  package: 'cachalot',
  async open(ports) {
    const made = open(require('cachalot/medusa'), ports);
    return {
      provider: made,
      get: (key) => made.get({ key }),
      set: (key, data, tags) =>
        made.set(tags === null ? { key, data, ttl: TTL } : { key, data, ttl: TTL, tags }),
      clear: (tag) => made.clear({ tags: [tag] }),
      close: () => made.close(),
    };
  },
});

const cache = (name, server, open) => ({
  name,
  server,
  ours: true,
  tagged: true,
  package: 'cachalot',
  async open(ports) {
    const made = open(require('cachalot'), ports);
    return {
      get: (key) => made.get(key),
      getMany: (keys) => made.getMany(keys),
      set: (key, value, tags) =>
        made.set(tags === null ? { key, value, ttl: TTL * 1_000 } : { key, value, ttl: TTL * 1_000, tags }),
      clear: (tag) => made.deleteByTag([tag]),
      close: () => made.close(),
    };
  },
});

export const peers = [
  provider(
    'cachalot redis',
    'redis',
    ({ RedisCachingProvider }, ports) =>
      new RedisCachingProvider({ logger }, { redisUrl: redisUrl(ports), prefix: 'bench' }),
  ),
  cache('cachalot Cache redis', 'redis', ({ createCache, redis }, ports) =>
    createCache({ store: redis({ url: redisUrl(ports) }), prefix: 'bench-cache', logger }),
  ),
  {
    ...cache('cachalot Cache redis, no tracking', 'redis', ({ createCache, redis }, ports) =>
      createCache({
        store: redis({ url: redisUrl(ports), tracking: false }),
        prefix: 'bench-untracked',
        logger,
      }),
    ),
    variant: true,
    // Beside the one with it: reads should cost the same.
    fits: ({ workload, tagged }) => workload === 'get' && tagged,
  },
  provider(
    'cachalot memcached',
    'memcached',
    ({ MemcachedCachingProvider }, ports) =>
      new MemcachedCachingProvider(
        { logger },
        { serverUrls: [memcachedAddress(ports)], cachePrefix: 'bench' },
      ),
  ),
  cache('cachalot Cache redis + l1', 'process', ({ createCache, redis }, ports) =>
    createCache({ store: redis({ url: redisUrl(ports) }), prefix: 'bench-l1', logger, l1: true }),
  ),
  provider(
    'cachalot redis + l1',
    'process',
    ({ RedisCachingProvider }, ports) =>
      new RedisCachingProvider({ logger }, { redisUrl: redisUrl(ports), prefix: 'bench-pl1', l1: true }),
  ),
  cache('cachalot Cache memory', 'process', ({ createCache, memory }) =>
    createCache({ store: memory(), prefix: 'bench-memory', logger }),
  ),
];
