// What a TypeScript project that uses ES modules compiles against. Nothing here runs.

import type { ICachingProviderService, Logger, ModuleProviderExports } from '@medusajs/framework/types';
import { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from 'cachalot/medusa';
import memcachedProvider from 'cachalot/medusa/memcached';
import memoryProvider from 'cachalot/medusa/memory';
import redisProvider from 'cachalot/medusa/redis';

declare const logger: Logger;

export const services: ICachingProviderService[] = [
  new RedisCachingProvider({ logger }, { redisUrl: 'redis://127.0.0.1:6379', prefix: 'shop', ttl: 60 }),
  new MemcachedCachingProvider({ logger }, { serverUrls: ['127.0.0.1:11211'], cachePrefix: 'shop' }),
  new MemoryCachingProvider({ logger }, {}),
];

export const identifiers: string[] = [
  RedisCachingProvider.identifier,
  MemcachedCachingProvider.identifier,
  MemoryCachingProvider.identifier,
];

export const modules: ModuleProviderExports[] = [redisProvider, memcachedProvider, memoryProvider];

export async function closes(provider: RedisCachingProvider): Promise<void> {
  await provider.close();
}

// @ts-expect-error an option of a wrong type
new RedisCachingProvider({ logger }, { redisUrl: 6379 });
// @ts-expect-error an option that does not exist
new MemcachedCachingProvider({ logger }, { servers: [] });
// @ts-expect-error a ttl is a number of seconds
services[0]?.set({ key: 'k', data: {}, ttl: '5m' });
