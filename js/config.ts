/** The store factories: a store described and checked, not yet opened. */
import { ConfigError } from './errors.js';
import { invalid, type Notes, object } from './options/check.js';
import { DEFAULT_SERVERS, memcachedServers } from './options/endpoint.js';
import { memcachedNotes, redisNotes } from './options/foreign-names.js';
import { type MemcachedOptions, memcachedShape, memcachedSpec } from './options/memcached.js';
import { type MemoryOptions, memoryShape, memorySpec } from './options/memory.js';
import type { NativeEndpoint, StoreSpec } from './options/native-config.js';
import { type RedisOptions, redisShape, redisSpec } from './options/redis.js';
import { type RedisAddress, redisUrl } from './options/redis-url.js';
import { prefix } from './options/store.js';

export type { NativeConfig, StoreSpec } from './options/native-config.js';

export interface RedisStoreOptions extends RedisOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `unix:///path[?db=0]`; parts are percent-encoded. */
  url: string;
}

export interface MemcachedStoreOptions extends MemcachedOptions {
  /** `host`, `host:port`, `[v6]:port`, a socket's path, or `memcached://…`. @default ['127.0.0.1:11211'] */
  servers?: readonly string[] | undefined;
  /** What every key in the store starts with. @default 'cachalot' */
  prefix?: string | undefined;
}

export type MemoryStoreOptions = MemoryOptions;

/** Names that belong to who uses the store. */
function elsewhere(otherwise?: Notes): Notes {
  return (name, at) =>
    name === 'l1'
      ? new ConfigError(
          `${at.face}: option "l1" is not the store's. Give it to createCache({ store, l1 }), or to the Medusa provider.`,
        )
      : otherwise?.(name, at);
}

const checkRedis = object<RedisStoreOptions, { url: RedisAddress }>(
  { ...redisShape, url: redisUrl },
  elsewhere(redisNotes),
);

const checkMemcached = object<MemcachedStoreOptions, { servers: NativeEndpoint[] }>(
  { ...memcachedShape, servers: memcachedServers, prefix },
  elsewhere(memcachedNotes),
);

const checkMemory = object<MemoryStoreOptions>(memoryShape, elsewhere());

/**
 * A store on Redis or Valkey.
 * @throws ConfigError that names the option, what was expected and what came
 */
export function redis(options: RedisStoreOptions): StoreSpec {
  const face = 'redis()';
  const { url, ...rest } = checkRedis(options, { face, path: '' });
  return redisSpec(face, 'url', url ?? redisUrl(undefined, { face, path: 'url' }), rest);
}

/**
 * A store on memcached 1.6 or later.
 * @throws ConfigError that names the option, what was expected and what came
 */
export function memcached(options: MemcachedStoreOptions = {}): StoreSpec {
  const face = 'memcached()';
  const {
    servers = DEFAULT_SERVERS,
    prefix: name = 'cachalot',
    ...rest
  } = checkMemcached(options, { face, path: '' });
  if (rest.options?.expires !== undefined) {
    throw invalid(
      { face, path: 'options.expires' },
      'no lifetime for a store',
      'one',
      'Give "ttl" to the cache that uses it',
    );
  }
  return memcachedSpec(face, servers, name, rest);
}

/**
 * A store in this process's memory.
 * @throws ConfigError that names the option, what was expected and what came
 */
export function memory(options: MemoryStoreOptions = {}): StoreSpec {
  const face = 'memory()';
  return memorySpec(face, checkMemory(options, { face, path: '' }));
}
