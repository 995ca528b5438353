/** The classes that Medusa registers, one a store. Medusa gives each its own options as second argument. */
import type { BySentinel } from '../../options/redis.js';
import type { ProviderDependencies } from '../../shared/injected-logger.js';
import {
  type MemcachedCacheOptions,
  type MemoryCacheOptions,
  memcachedSettings,
  memorySettings,
  type RedisCacheOptions,
  redisSettings,
} from './options.js';
import { CacheModuleService } from './service.js';

/** Caches in Redis or Valkey. */
export class RedisCacheService extends CacheModuleService {
  /** @throws CachalotError that names the option, what was expected and what came */
  constructor(
    dependencies: ProviderDependencies,
    options: RedisCacheOptions | BySentinel<RedisCacheOptions, 'redisUrl'>,
  ) {
    super(redisSettings(options), dependencies);
  }
}

/** Caches in memcached 1.6 or later. */
export class MemcachedCacheService extends CacheModuleService {
  /** @throws CachalotError that names the option, what was expected and what came */
  constructor(dependencies: ProviderDependencies, options?: MemcachedCacheOptions) {
    super(memcachedSettings(options), dependencies);
  }
}

/** Caches in this process's memory. */
export class MemoryCacheService extends CacheModuleService {
  /** @throws CachalotError that names the option, what was expected and what came */
  constructor(dependencies: ProviderDependencies, options?: MemoryCacheOptions) {
    super(memorySettings(options), dependencies);
  }
}

/** What Medusa's loaders, also those of version 1, read of a module's package. They write onto it, so it is not frozen. */
export interface MedusaCacheModule<Class> {
  service: Class;
}
