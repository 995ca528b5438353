// Who takes part. Each has `name`, `server`, `tagged` (whether it knows tags at all), `get(key)` → value or null,
// `set(key, value, tags)`, and `close()`. All keep the settings that their users get when they set nothing.

import { createRequire } from 'node:module';
import Redis from 'ioredis';
import memjs from 'memjs';
import xxhash from 'xxhash-wasm';

const require = createRequire(import.meta.url);
/** As the root package sees itself: through its own exports map. */
const rootRequire = createRequire(new URL('../package.json', import.meta.url));

/** Seconds. No entry may expire during a run, and every contestant sends a ttl. */
const TTL = 3_600;

/** Anything that a client has to say during a run is a finding, not noise. */
const logger = {
  info() {},
  debug() {},
  warn: (...said) => console.error('warn:', ...said),
  error: (...said) => console.error('error:', ...said),
};

function cachalot(name, server, provider) {
  return {
    name,
    server,
    tagged: true,
    get: (key) => provider.get({ key }),
    set: (key, data, tags) =>
      provider.set(tags === null ? { key, data, ttl: TTL } : { key, data, ttl: TTL, tags }),
    close: () => provider.close(),
  };
}

async function plainRedis(name, url, options) {
  const client = await connected(new Redis(url, options));
  return {
    name,
    server: 'redis',
    tagged: false,
    async get(key) {
      const text = await client.get(key);
      return text === null ? null : JSON.parse(text);
    },
    set: (key, value) => client.set(key, JSON.stringify(value), 'EX', TTL),
    close: () => client.quit(),
  };
}

async function cachingRedis(url) {
  // The service alone, wired as its own loader wires it: the Caching Module above it would add the same to everyone.
  const { RedisCachingProvider } = require('@medusajs/caching-redis/dist/services/redis-cache.js');
  const client = await connected(
    new Redis(url, {
      connectTimeout: 10_000,
      commandTimeout: 5_000,
      maxRetriesPerRequest: 3,
      enableOfflineQueue: true,
      connectionName: 'medusa-cache-redis',
    }),
  );
  const { h64ToString } = await xxhash();
  const provider = new RedisCachingProvider(
    { redisClient: client, logger, prefix: 'mc:', hasher: h64ToString },
    {},
  );
  return {
    name: 'caching-redis',
    server: 'redis',
    tagged: true,
    get: (key) => provider.get({ key }),
    set: (key, data, tags) =>
      provider.set(tags === null ? { key, data, ttl: TTL } : { key, data, ttl: TTL, tags }),
    close: () => client.quit(),
  };
}

function plainMemcached(address) {
  const client = memjs.Client.create(address, { logger: { log: (said) => logger.warn(said) } });
  return {
    name: 'memjs',
    server: 'memcached',
    tagged: false,
    async get(key) {
      const { value } = await client.get(key);
      return value === null ? null : JSON.parse(value.toString('utf8'));
    },
    set: (key, value) => client.set(key, JSON.stringify(value), { expires: TTL }),
    close: async () => client.close(),
  };
}

async function connected(client) {
  client.on('error', (error) => logger.error(error.message));
  await client.ping();
  return client;
}

/** Connects everyone. `ours` in the results are those whose name begins with "cachalot". */
export async function contestants({ redisPort, memcachedPort }) {
  const { RedisCachingProvider, MemcachedCachingProvider } = rootRequire('cachalot/medusa');
  const redisUrl = `redis://127.0.0.1:${redisPort}`;
  const memcached = `127.0.0.1:${memcachedPort}`;
  return [
    cachalot('cachalot redis', 'redis', new RedisCachingProvider({ logger }, { redisUrl, prefix: 'bench' })),
    cachalot(
      'cachalot memcached',
      'memcached',
      new MemcachedCachingProvider({ logger }, { serverUrls: [memcached], cachePrefix: 'bench' }),
    ),
    await plainRedis('ioredis', redisUrl, { keyPrefix: 'plain:' }),
    await plainRedis('ioredis auto-pipelining', redisUrl, { keyPrefix: 'auto:', enableAutoPipelining: true }),
    await cachingRedis(redisUrl),
    plainMemcached(memcached),
  ];
}

/** Versions of the packages that take part. */
export function packageVersions() {
  return {
    cachalot: rootRequire('./package.json').version,
    ioredis: require('ioredis/package.json').version,
    '@medusajs/caching-redis': require('@medusajs/caching-redis/package.json').version,
    memjs: require('memjs/package.json').version,
  };
}
