/** Medusa's older Cache Module (`Modules.CACHE`): a service for each store. */
export type { CacheLogger } from '../../shared/types.js';
export type { ProviderDependencies } from '../medusa/registration.js';
export { MemcachedCacheService, MemoryCacheService, RedisCacheService } from './classes.js';
export type { MedusaCacheModule } from './module.js';
export type {
  MemcachedCacheOptions,
  MemcachedClientOptions,
  MemoryCacheOptions,
  NamespaceOptions,
  RedisCacheOptions,
} from './options.js';
export type { MedusaCacheService } from './service.js';
