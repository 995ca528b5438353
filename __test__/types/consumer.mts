// What an application that uses ES modules compiles against. Nothing here runs: what must fail is marked, and a mark on
// a line that compiles is an error too.

import { CachalotError, memcached, memory, redis, type StoreSpec } from 'cachalot';
import { type ConfigProvider, cachalot, cachalotBus } from 'cachalot/adonis';
import {
  CachalotDriver,
  type CreateBusDriverResult,
  type CreateDriverResult,
  cachalotBusDriver,
  cachalotDriver,
  type L2CacheDriver,
} from 'cachalot/bentocache';
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
import {
  type MedusaCacheService,
  type MemcachedCacheOptions,
  MemcachedCacheService,
  MemoryCacheService,
  type RedisCacheOptions,
  RedisCacheService,
} from 'cachalot/medusa/cache';
import memcachedCacheModule from 'cachalot/medusa/cache/memcached';
import memoryCacheModule from 'cachalot/medusa/cache/memory';
import redisCacheModule from 'cachalot/medusa/cache/redis';
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
    tls: {},
    connectionName: 'shop',
    connectTimeout: 1,
    commandTimeout: 1,
  },
  username: 'u',
  password: 'p',
  db: 1,
  connectionName: 'shop',
  sentinel: {
    name: 'm',
    nodes: ['a:26379', { host: 'b' }] as const,
    natMap: { 'a:1': { host: 'c', port: 2 } },
  },
  credentials: async () => ({ username: 'u', password: 'p', expiresAt: new Date() }),
  tls: { ca: { file: '/ca.pem' }, servername: 'cache' },
  tracking: false,
  l1: { maxBytes: 65_536, ttl: 0.5, share: true },
  maxValueBytes: 1,
  staleWriteGuard: { ms: 1, max: 1 },
  connectTimeout: 1,
  commandTimeout: 1,
};

const everyMemcachedOption: Required<MemcachedProviderOptions> = {
  serverUrls: ['127.0.0.1:11211'] as const,
  tls: { ca: ['-----BEGIN CERTIFICATE-----'] as const, minVersion: 'TLSv1.3' },
  username: 'u',
  password: 'p',
  cachePrefix: 'shop',
  keyPrefix: 'shop',
  defaultTtl: 60,
  compression: { level: 6 },
  options: { timeout: 0.5, conntimeout: 1, retries: 2, expires: 60, keepAlive: true, keepAliveDelay: 30 },
  maxItemBytes: 1_048_576,
  l1: false,
  maxValueBytes: 1,
  staleWriteGuard: { ms: 1 },
  connectTimeout: 1,
  commandTimeout: 1,
};
export const every = [everyRedisOption, everyMemcachedOption];

// The providers count in seconds.
// @ts-expect-error
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', l1: { ttl: '30s' } });

// A variable that may not be set is no URL, but any optional option may be undefined.
new MemcachedCachingProvider({ logger }, { username: environment.NAME, password: environment.PASSWORD });
// @ts-expect-error
new RedisCachingProvider({ logger }, { redisUrl: environment.REDIS_URL });

// @ts-expect-error an unknown option
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', prefx: 'shop' });
// Names of ioredis and memjs without a meaning here are ignored.
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', redisOptions: { maxRetriesPerRequest: 3 } });
new MemcachedCachingProvider({ logger }, { options: { failover: true } });
new MemcachedCacheService({ logger }, { options: { remove: true } });
// @ts-expect-error a name that nobody knows
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', redisOptions: { maxRetries: 3 } });
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', redisOptions: { tls: {} } });
// @ts-expect-error an option of a wrong type
new RedisCachingProvider({ logger }, { redisUrl: 'redis://h', ttl: '1h' });
// @ts-expect-error an algorithm that does not exist
new MemoryCachingProvider({ logger }, { compression: { algorithm: 'gzip' } });
// @ts-expect-error servers in one string
new MemcachedCachingProvider({ logger }, { serverUrls: 'a:1,b:2' });
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
// What a `resolve:` target carries is as strict as the class itself.
// @ts-expect-error an unknown option
new redisModule.services[0]({ logger }, { redisUrl: 'redis://h', prefx: 'shop' });
// @ts-expect-error servers in one string
new memcachedModule.services[0]({ logger }, { serverUrls: 'a:1,b:2' });
// @ts-expect-error an option of a wrong type
new memoryModule.services[0]({ logger }, { maxBytes: '1 GB' });
export const loaders: ProviderLoader[] = [redisLoader, ...redisModule.loaders];
export const identifiers: string[] = modules.map(({ services }) => services[0].identifier);
export const written: CacheLogger = logger;

export const stores: StoreSpec[] = [
  redis({ url: 'redis://127.0.0.1:6379', username: 'u', password: 'p', db: 1 }),
  redis('redis://127.0.0.1:6379'),
  redis({ href: 'redis://127.0.0.1:6379' }),
  memcached({ servers: ['127.0.0.1:11211'] }),
  memory({ maxBytes: 1_000_000 }),
];
// @ts-expect-error a store has a url
redis({ redisUrl: 'redis://127.0.0.1:6379' });

export function code(error: unknown): string | undefined {
  return error instanceof CachalotError ? error.code : undefined;
}

// The older Cache Module.
const { prefix: _prefix, redisUrl, ...rest } = everyRedisOption;
const everyRedisCacheOption: Required<RedisCacheOptions> = { ...rest, redisUrl, namespace: 'shop' };
export const everyMemcachedCacheOption: MemcachedCacheOptions = {
  location: { '127.0.0.1:11211': 1 },
  options: { timeout: 500, maxValue: 1_048_576, namespace: 'shop' },
  ttl: 30,
};
export const cacheServices: MedusaCacheService[] = [
  new RedisCacheService({ logger }, everyRedisCacheOption),
  new MemcachedCacheService({ logger }, { location: ['127.0.0.1:11211'] as const }),
  new MemoryCacheService({}),
  new memoryCacheModule.service({}, { maxBytes: 1_000_000 }),
];
export const cacheModules = [redisCacheModule, memcachedCacheModule];
// @ts-expect-error it is called namespace here
new redisCacheModule.service({ logger }, { redisUrl: 'redis://h', prefix: 'shop' });
// @ts-expect-error it is called location here
new memcachedCacheModule.service({ logger }, { serverUrls: ['a'] });
// @ts-expect-error an option of a wrong type
new memoryCacheModule.service({}, { maxBytes: '1 GB' });

new RedisCacheService({ logger }, { sentinel: { name: 'm', nodes: ['s1'] } });
new RedisCachingProvider({ logger }, { redisOptions: { sentinels: [{ host: 's1' }], name: 'm' } });
// @ts-expect-error no url
new RedisCacheService({ logger }, {});
// @ts-expect-error it is called namespace here
new RedisCacheService({ logger }, { redisUrl: 'redis://h', prefix: 'shop' });
// @ts-expect-error it is called location here
new MemcachedCacheService({ logger }, { serverUrls: ['a'] });
// @ts-expect-error a ttl is a number of seconds
new MemoryCacheService({}, { ttl: '30s' });

export async function useCacheService(cache: MemoryCacheService): Promise<number> {
  await cache.set('ps:1', { n: 1 }, 60);
  await cache.invalidate('ps:*');
  // @ts-expect-error a ttl is a number of seconds
  await cache.set('ps:1', { n: 1 }, '1m');
  // @ts-expect-error a key is a string
  await cache.invalidate(7);
  const found = await cache.get<{ n: number }>('ps:1');
  // @ts-expect-error it may be null
  return found.n;
}

export const layer: CreateDriverResult<L2CacheDriver> = cachalotDriver({ store: memory(), prefix: 'shop' });
export async function useDriver(driver: L2CacheDriver): Promise<string | undefined> {
  const stored: boolean = await driver.set('k', 'v', 60_000);
  // @ts-expect-error a lifetime is a number of milliseconds
  await driver.set('k', 'v', '5m');
  // @ts-expect-error Bentocache serializes values itself
  await driver.set('k', { v: 1 });
  await driver.namespace('users').clear();
  return stored ? driver.get('k') : undefined;
}
export const isOurs = (driver: L2CacheDriver): boolean => driver instanceof CachalotDriver;
// @ts-expect-error a store is needed
cachalotDriver({});
// @ts-expect-error a store is made by redis(), memcached() or memory()
cachalotDriver({ store: 'redis://127.0.0.1:6379' });
// @ts-expect-error an unknown option
cachalotDriver({ store: memory(), connection: {} });

const configured: ConfigProvider<CreateDriverResult<L2CacheDriver>> = cachalot({ store: memory() });
export const { resolver } = configured;
// @ts-expect-error a store is needed
cachalot({ prefix: 'shop' });
// @ts-expect-error an option of another driver
cachalot({ store: memory(), connectionName: 'main' });

const local = redis({ url: 'redis://127.0.0.1:6379' });
export const bus: CreateBusDriverResult = cachalotBusDriver({ store: local, retryQueue: { maxSize: 10 } });
export const configuredBus: ConfigProvider<CreateBusDriverResult> = cachalotBus({ store: local });
// @ts-expect-error a store is needed
cachalotBusDriver({ retryQueue: {} });
// @ts-expect-error an unknown option
cachalotBusDriver({ store: local, connection: {} });
// @ts-expect-error a duration of another kind
cachalotBus({ store: local, retryQueue: { retryInterval: true } });
