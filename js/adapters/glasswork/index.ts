/** Glasswork's cache: stores, `CacheService`, and keys that know the type of their value. */
export type { CacheLogger } from '../../shared/logger.js';
export { type CacheKey, type CacheKeyFactory, createCacheKey, type PlainKey, type TypedKey } from './keys.js';
export { CacheService } from './service.js';
export { CachalotStore, type CachalotStoreOptions } from './store.js';
export {
  DynamoDBCacheStore,
  type DynamoDBCacheStoreConfig,
  MemoryCacheStore,
  type MemoryCacheStoreConfig,
  RedisCacheStore,
  type RedisCacheStoreConfig,
} from './stores.js';
export type { CacheConfig, CacheEntry, CacheStore } from './types.js';
