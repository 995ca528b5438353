/** Medusa's Caching Module: provider classes, and the loaders that a hand-written module provider needs beside them. */

export type { L1Options } from '../../local-cache/settings.js';
export type {
  CacheLogger,
  ClearRequest,
  GetRequest,
  InvalidationOptions,
  MedusaCachingProvider,
  SetRequest,
} from '../../shared/types.js';
export {
  type LoaderArguments,
  memcachedLoader,
  memoryLoader,
  type ProviderLoader,
  redisLoader,
} from './loaders.js';
export type { MedusaModuleProvider } from './module-provider.js';
export type { MemcachedProviderOptions, MemoryProviderOptions, RedisProviderOptions } from './options.js';
export { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from './providers.js';
export type { ProviderDependencies, RegistrationContainer } from './registration.js';
