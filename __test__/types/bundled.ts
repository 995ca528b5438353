// And for an application whose bundler resolves its imports.

import { memory } from 'cachalot';
import { cachalot } from 'cachalot/adonis';
import { cachalotDriver } from 'cachalot/bentocache';
import { MemoryCachingProvider } from 'cachalot/medusa';
import { MemoryCacheService } from 'cachalot/medusa/cache';
import memoryCacheModule from 'cachalot/medusa/cache/memory';
import redisModule from 'cachalot/medusa/redis';

export const provider = new MemoryCachingProvider({}, { name: 'shop' });
export const [loader] = redisModule.loaders;
export const store = memory();

// @ts-expect-error an unknown option
new MemoryCachingProvider({}, { maxSize: 1 });

export const cacheService = new memoryCacheModule.service({}, { ttl: 30 });
// @ts-expect-error an unknown option
new MemoryCacheService({}, { prefix: 'shop' });

export const { options, factory } = cachalotDriver({ store: memory() });
// @ts-expect-error a prefix is text
cachalotDriver({ store: memory(), prefix: 5 });

export const { type } = cachalot({ store: memory() });
// @ts-expect-error an unknown option
cachalot({ store: memory(), ttl: '5m' });
