/** Cachalot: a cache with tags over Redis, Valkey, memcached or process memory. */
export {
  type MemcachedStoreOptions,
  type MemoryStoreOptions,
  memcached,
  memory,
  type RedisStoreOptions,
  redis,
  type StoreSpec,
} from './config.js';
export {
  BusyError,
  CachalotError,
  ClosedError,
  ConfigError,
  ConnectionError,
  CorruptError,
  type ErrorCode,
  type ErrorDetails,
  InternalError,
  ServerError,
  TimeoutError,
  TooLargeError,
  UnsupportedError,
} from './errors.js';
export type { Stats, StoreEvent } from './native.js';
export type { MemcachedOptions, MemjsOptions } from './options/memcached.js';
export type { RedisConnectionOptions, RedisOptions } from './options/redis.js';
export type { CompressionOptions, MissMemoryOptions, StoreOptions, TimeoutOptions } from './options/store.js';
export type { CacheLogger } from './types.js';
