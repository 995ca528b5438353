// The same for CommonJS, by both ways of importing.

import cachalot = require('cachalot');
import adonis = require('cachalot/adonis');
import bentocache = require('cachalot/bentocache');
import glasswork = require('cachalot/glasswork');
import medusa = require('cachalot/medusa');

import redisCacheModule from 'cachalot/medusa/cache/redis';
import memcachedModule from 'cachalot/medusa/memcached';
import memoryModule from 'cachalot/medusa/memory';
import redisModule from 'cachalot/medusa/redis';

export const provider = new medusa.RedisCachingProvider({}, { redisUrl: 'redis://127.0.0.1:6379' });
export const modules = [redisModule, memcachedModule, memoryModule];
export const [service]: [typeof medusa.MemoryCachingProvider] = memoryModule.services;
export const store = cachalot.redis({ url: 'redis://127.0.0.1:6379' });

// @ts-expect-error an unknown option
new medusa.MemcachedCachingProvider({}, { servers: [] });
// @ts-expect-error a required option is missing
cachalot.redis({});

export const cacheService = new redisCacheModule.service({}, { redisUrl: 'redis://127.0.0.1:6379', ttl: 30 });
// @ts-expect-error a required option is missing
new redisCacheModule.service({}, {});

export const driver: bentocache.L2CacheDriver = bentocache
  .cachalotDriver({ store: cachalot.memory() })
  .factory({});
// @ts-expect-error an unknown option
bentocache.cachalotDriver({ store: cachalot.memory(), redisUrl: 'redis://127.0.0.1:6379' });

export const provided: 'provider' = adonis.cachalot({ store: cachalot.memory() }).type;
// @ts-expect-error a store is needed
adonis.cachalot({});

export const glassworkCache = new glasswork.CacheService(new glasswork.MemoryCacheStore(), {
  defaultTTL: 300,
});
const userKey = glasswork.createCacheKey<{ id: string }>('user', (id: string) => `user:${id}`);
export const cachedUser: Promise<{ id: string } | undefined> = glassworkCache.get(userKey('123'));
// @ts-expect-error a value of another type
glassworkCache.set(userKey('123'), 42);
