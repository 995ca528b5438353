// The same for CommonJS, by both ways of importing.

import cachalot = require('cachalot');
import medusa = require('cachalot/medusa');

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
