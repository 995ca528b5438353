/** Cachalot: a cache with tags over Redis, Valkey, memcached or process memory. */
export { Cache } from './cache/cache.js';
export { type CacheLike, createCache } from './cache/create-cache.js';
export type { Factory, FactoryContext } from './cache/factory.js';
export type { ReadyOptions } from './cache/health.js';
export type { CacheOptions, ComputeOptions } from './cache/options.js';
export type { CacheEventName, CacheEvents, CacheStats, Quantiles } from './cache/telemetry.js';
export type {
  DeleteManyOptions,
  GetOptions,
  GetOrSetOptions,
  JsonStorable,
  SetForeverOptions,
  SetOptions,
  TagsOptions,
} from './cache/types.js';
export type { L1Options } from './local-cache/settings.js';
export {
  type MemcachedStoreOptions,
  type MemoryStoreOptions,
  memcached,
  memory,
  type RedisStoreOptions,
  redis,
  type StoreSpec,
} from './options/config.js';
export type { CredentialsSource, RedisCredentials } from './options/credentials.js';
export type { Duration } from './options/duration.js';
export type { MemcachedOptions, MemjsOptions } from './options/memcached.js';
export type { BySentinel, RedisConnectionOptions, RedisOptions } from './options/redis.js';
export type { UrlObject } from './options/redis-url.js';
export type { SentinelNode, SentinelOptions } from './options/sentinel.js';
export type { CompressionOptions, StoreOptions, TimeoutOptions } from './options/store.js';
export type { Pem, TlsOptions } from './options/tls.js';
export type { Jsonify } from './serializer/jsonify.js';
export type { Serializer } from './serializer/serializer.js';
export {
  BusyError,
  CachalotError,
  ClosedError,
  ConfigError,
  ConnectionError,
  CorruptError,
  type ErrorCode,
  type ErrorDetails,
  FactoryError,
  FactoryTimeoutError,
  InternalError,
  RecursionError,
  ServerError,
  TimeoutError,
  TooLargeError,
  UnsupportedError,
} from './shared/errors.js';
export type { CacheLogger } from './shared/logger.js';
export type { Stats, StoreEvent } from './store/native-store.js';
