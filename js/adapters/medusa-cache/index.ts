/** Medusa's older Cache Module (`Modules.CACHE`): a service for each store. */

export type { ProviderDependencies } from '../../shared/injected-logger.js';
export type { CacheLogger } from '../../shared/logger.js';
export type { MedusaCacheModule } from './classes.js';
export { MemcachedCacheService, MemoryCacheService, RedisCacheService } from './classes.js';
export type {
  MemcachedCacheOptions,
  MemcachedClientOptions,
  MemoryCacheOptions,
  NamespaceOptions,
  RedisCacheOptions,
} from './options.js';
export type { MedusaCacheService } from './service.js';
