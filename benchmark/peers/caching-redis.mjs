import { createRequire } from 'node:module';
import { logger, redisUrl, TTL } from './connection.mjs';

const require = createRequire(import.meta.url);

export const peers = [
  {
    name: 'caching-redis',
    server: 'redis',
    package: '@medusajs/caching-redis',
    tagged: true,
    against: ['cachalot redis'],
    // The service alone, wired as its own loader wires it: the Caching Module above it would add the same to everyone.
    async open(ports) {
      const { default: Redis } = await import('ioredis');
      const { default: xxhash } = await import('xxhash-wasm');
      const { RedisCachingProvider } = require('@medusajs/caching-redis/dist/services/redis-cache.js');
      const client = new Redis(redisUrl(ports), {
        connectTimeout: 10_000,
        commandTimeout: 5_000,
        maxRetriesPerRequest: 3,
        enableOfflineQueue: true,
        connectionName: 'medusa-cache-redis',
      });
      client.on('error', (error) => logger.error(error.message));
      await client.ping();
      const { h64ToString } = await xxhash();
      const provider = new RedisCachingProvider(
        { redisClient: client, logger, prefix: 'mc:', hasher: h64ToString },
        {},
      );
      return {
        provider,
        get: (key) => provider.get({ key }),
        set: (key, data, tags) =>
          provider.set(tags === null ? { key, data, ttl: TTL } : { key, data, ttl: TTL, tags }),
        clear: (tag) => provider.clear({ tags: [tag] }),
        close: () => client.quit(),
      };
    },
  },
];
