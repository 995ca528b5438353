// What an application that uses ES modules compiles against. Nothing here runs: what must fail is marked, and a mark on
// a line that compiles is an error too.

import { CachalotError, memcached, memory, redis, type StoreSpec } from 'cachalot';
import {
  type CacheLogger,
  type MedusaCachingProvider,
  MemcachedCachingProvider,
  type MemcachedProviderOptions,
  MemoryCachingProvider,
  type ProviderLoader,
  RedisCachingProvider,
  type RedisProviderOptions,
  redisLoader,
} from 'cachalot/medusa';
import memcachedModule from 'cachalot/medusa/memcached';
import memoryModule from 'cachalot/medusa/memory';
import redisModule from 'cachalot/medusa/redis';

declare const logger: { info(message: string): void; warn(message: string): void };
declare const environment: Record<string, string | undefined>;

export const providers: MedusaCachingProvider[] = [
  new RedisCachingProvider({ logger }, { redisUrl: 'redis://127.0.0.1:6379' }),
  new MemcachedCachingProvider({ logger }, {}),
  new MemoryCachingProvider({ logger }),
  new MemoryCachingProvider({}, { maxBytes: 1_000_000, compression: true }),
];

const everyRedisOption: Required<RedisProviderOptions> = {
  redisUrl: 'redis://127.0.0.1:6379/1',
  prefix: 'shop',
  ttl: 60,
  compressionThreshold: 1024,
  compression: { enabled: true, threshold: 1024, level: 3, algorithm: 'zstd' },
  redisOptions: {
    username: 'u',
    password: 'p',
    db: 1,
    tls: undefined,
    connectionName: 'shop',
    connectTimeout: 1,
    commandTimeout: 1,
  },
  tracking: false,
  maxValueBytes: 1,
  missMemory: { ms: 1, max: 1 },
  connectTimeout: 1,
  commandTimeout: 1,
};

const everyMemcachedOption: Required<MemcachedProviderOptions> = {
  serverUrls: ['127.0.0.1:11211'] as const,
  username: 'u',
  password: 'p',
  cachePrefix: 'shop',
  keyPrefix: 'shop',
  defaultTtl: 60,
  compression: { level: 6 },
  options: { timeout: 0.5, conntimeout: 1, retries: 2, expires: 60, keepAlive: true, keepAliveDelay: 30 },
  maxItemBytes: 1_048_576,
  maxValueBytes: 1,
  missMemory: { ms: 1 },
  connectTimeout: 1,
  commandTimeout: 1,
};
export const every = [everyRedisOption, everyMemcachedOption];

// A variable that may not be set is no URL, but any optional option may be undefined.
new MemcachedCachingProvider({ logger }, { username: environment.NAME, password: environment.PASSWORD });
// @ts-expect-error
new RedisCachingProvider({ logger }, { redisUrl: environment.REDIS_URL });

// @ts-expect-error an unknown option
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', prefx: 'shop' });
// @ts-expect-error an ioredis name without a meaning here
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', redisOptions: { maxRetriesPerRequest: 3 } });
// @ts-expect-error TLS is not there yet
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', redisOptions: { tls: {} } });
// @ts-expect-error an option of a wrong type
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', ttl: '1h' });
// @ts-expect-error an algorithm that does not exist
new MemoryCachingProvider({ logger }, { compression: { algorithm: 'gzip' } });
// @ts-expect-error servers in one string
new MemcachedCachingProvider({ logger }, { serverUrls: 'a:1,b:2' });
// @ts-expect-error a memjs name without a meaning here
new MemcachedCachingProvider({ logger }, { options: { failover: true } });
// @ts-expect-error the name is defaultTtl here
new MemcachedCachingProvider({ logger }, { ttl: 60 });

export async function use(cache: RedisCachingProvider): Promise<number> {
  await cache.set({ key: 'k', data: null, ttl: 60, tags: ['t'], options: { autoInvalidate: undefined } });
  await cache.clear({ tags: ['t'], options: { autoInvalidate: true } });
  const found: { n: number } | null = await cache.get({ key: 'k' });
  // @ts-expect-error a ttl is a number of seconds
  await cache.set({ key: 'k', data: 1, ttl: '5m' });
  // @ts-expect-error no key
  await cache.set({ data: 1 });
  // @ts-expect-error tags are a list
  await cache.clear({ tags: 't' });
  await cache.close();
  return (found?.n ?? 0) + cache.stats().hits;
}

export const modules = [redisModule, memcachedModule, memoryModule];
export const loaders: ProviderLoader[] = [redisLoader, ...redisModule.loaders];
export const identifiers: string[] = modules.map(({ services }) => services[0].identifier);
export const written: CacheLogger = logger;

export const stores: StoreSpec[] = [
  redis({ url: 'redis://127.0.0.1:6379' }),
  memcached({ servers: ['127.0.0.1:11211'] }),
  memory({ maxBytes: 1_000_000 }),
];
// @ts-expect-error a store has a url
redis({ redisUrl: 'redis://127.0.0.1:6379' });

export function code(error: unknown): string | undefined {
  return error instanceof CachalotError ? error.code : undefined;
}
