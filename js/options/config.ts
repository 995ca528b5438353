/** The store factories: a store described and checked, not yet opened. */
import { ConfigError } from '../shared/errors.js';
import { type ForeignNames, invalid, type OptionPath, object } from './check.js';
import { DEFAULT_SERVERS, type MemcachedAddress, memcachedServers } from './endpoint.js';
import { ioredisNotes, memcachedNotes } from './foreign-names.js';
import { type MemcachedOptions, memcachedShape, memcachedSpec, type ParsedMemcached } from './memcached.js';
import { type MemoryOptions, memoryShape, memorySpec } from './memory.js';
import type { StoreSpec } from './native-config.js';
import { type BySentinel, type ParsedRedis, type RedisOptions, redisShape, redisSpec } from './redis.js';
import { isUrl, type RedisAddress, redisUrl, type UrlObject } from './redis-url.js';
import { prefix } from './store.js';

export type { NativeConfig, StoreSpec } from './native-config.js';

export interface RedisStoreOptions extends RedisOptions {
  /** `redis://[user:password@]host[:port][/db]` (or `valkey://`), or `unix:///path[?db=0]`; parts are percent-encoded. */
  url: string | UrlObject;
}

export interface MemcachedStoreOptions extends MemcachedOptions {
  /** `host`, `host:port`, `[v6]:port`, a socket's path, or `memcached://…`. @default ['127.0.0.1:11211'] */
  servers?: readonly string[] | undefined;
  /** What every key in the store starts with. @default 'cachalot' */
  prefix?: string | undefined;
}

export type MemoryStoreOptions = MemoryOptions;

/** Names that belong to who uses the store, and who that is. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  l1: 'createCache({ store, l1 }), or to the Medusa provider',
  logger: 'createCache({ store, logger }), or to the adapter',
};

function elsewhere(otherwise?: ForeignNames): ForeignNames {
  return (name, at, value) =>
    Object.hasOwn(ELSEWHERE, name)
      ? new ConfigError(`${at.caller}: option "${name}" is not the store's. Give it to ${ELSEWHERE[name]}.`)
      : otherwise?.(name, at, value);
}

function place(caller: string): OptionPath {
  return { caller, path: '', ignored: new Set() };
}

const checkRedis = object<RedisStoreOptions, ParsedRedis & { url: RedisAddress }>(
  { ...redisShape, url: redisUrl },
  elsewhere(ioredisNotes),
);

const checkMemcached = object<MemcachedStoreOptions, ParsedMemcached & { servers: MemcachedAddress[] }>(
  { ...memcachedShape, servers: memcachedServers, prefix },
  elsewhere(memcachedNotes),
);

const checkMemory = object<MemoryStoreOptions>(memoryShape, elsewhere());

/**
 * A store on Redis or Valkey, by its URL alone or with options.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const store = redis({ url: 'redis://127.0.0.1:6379', db: 1 });
 */
export function redis(
  options: RedisStoreOptions | BySentinel<RedisStoreOptions, 'url'> | string | UrlObject,
): StoreSpec {
  const at = place('redis()');
  const { url, ...rest } = checkRedis(
    typeof options === 'string' || isUrl(options) ? { url: options } : options,
    at,
  );
  return redisSpec(at, { url: 'url', prefix: 'prefix', fallback: 'cachalot' }, url, rest);
}

/**
 * A store on memcached 1.6 or later.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const store = memcached({ servers: ['127.0.0.1:11211'] });
 */
export function memcached(options: MemcachedStoreOptions = {}): StoreSpec {
  const at = place('memcached()');
  const { servers = DEFAULT_SERVERS, prefix: name = 'cachalot', ...rest } = checkMemcached(options, at);
  if (rest.options?.expires !== undefined) {
    throw invalid(
      { ...at, path: 'options.expires' },
      'no lifetime for a store',
      'one',
      'Give "ttl" to the cache that uses it',
    );
  }
  return memcachedSpec(at, servers, name, rest);
}

/**
 * A store in this process's memory.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const store = memory({ maxBytes: 64 * 1024 * 1024 });
 */
export function memory(options: MemoryStoreOptions = {}): StoreSpec {
  const caller = 'memory()';
  return memorySpec(caller, checkMemory(options, { caller, path: '' }));
}
