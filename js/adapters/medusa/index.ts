/** Medusa's Caching Module: provider classes, and the loaders that a hand-written module provider needs beside them. */

export type { L1Options } from '../../local-cache/settings.js';
export type { ProviderDependencies } from '../../shared/injected-logger.js';
export type { CacheLogger } from '../../shared/logger.js';
export type { MedusaModuleProvider } from './loaders.js';
export {
  type LoaderArguments,
  memcachedLoader,
  memoryLoader,
  type ProviderLoader,
  redisLoader,
} from './loaders.js';
export type { MemcachedProviderOptions, MemoryProviderOptions, RedisProviderOptions } from './options.js';
export { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from './providers.js';
export type { RegistrationContainer } from './registration.js';
export type {
  ClearRequest,
  GetRequest,
  InvalidationOptions,
  MedusaCachingProvider,
  SetRequest,
} from './types.js';
