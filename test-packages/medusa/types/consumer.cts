// The same for CommonJS, which is what Medusa's own projects compile to. Nothing here runs.

import medusa = require('cachalot/medusa');
import redisProvider = require('cachalot/medusa/redis');

import type { ICachingProviderService, Logger, ModuleProviderExports } from '@medusajs/framework/types';

declare const logger: Logger;

export const services: ICachingProviderService[] = [
  new medusa.RedisCachingProvider({ logger }, { redisUrl: 'redis://127.0.0.1:6379' }),
  new medusa.MemcachedCachingProvider({ logger }, {}),
  new medusa.MemoryCachingProvider({ logger }, {}),
];

export type Exported = typeof redisProvider;
export type IsProvider = Exported extends ModuleProviderExports
  ? true
  : Exported extends { default: ModuleProviderExports }
    ? true
    : never;
export const isProvider: IsProvider = true;

// @ts-expect-error an option that does not exist
new medusa.RedisCachingProvider({ logger }, { redisUri: 'redis://127.0.0.1:6379' });
