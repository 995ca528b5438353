// And for an application whose bundler resolves its imports.

import { memory } from 'cachalot';
import { MemoryCachingProvider } from 'cachalot/medusa';
import redisModule from 'cachalot/medusa/redis';

export const provider = new MemoryCachingProvider({}, { name: 'shop' });
export const [loader] = redisModule.loaders;
export const store = memory();

// @ts-expect-error an unknown option
new MemoryCachingProvider({}, { maxSize: 1 });
