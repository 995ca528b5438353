/** The options of the older Cache Module: the names that people have in their medusa-config, checked and made into a store. */
import { type Check, integer, mergeAliases, type OptionPath, object, seconds } from '../../options/check.js';
import { DEFAULT_SERVERS, type MemcachedAddress } from '../../options/endpoint.js';
import {
  type IgnoredMemcachedClientOptions,
  ioredisNotes,
  memcachedClientNotes,
  memcachedNotes,
} from '../../options/foreign-names.js';
import {
  type MemcachedOptions,
  memcachedShape,
  memcachedSpec,
  type ParsedMemcached,
} from '../../options/memcached.js';
import { type MemoryOptions, memoryShape, memorySpec } from '../../options/memory.js';
import type { StoreSpec } from '../../options/native-config.js';
import { type ParsedRedis, type RedisOptions, redisShape, redisSpec } from '../../options/redis.js';
import { type RedisAddress, redisUrl, type UrlObject } from '../../options/redis-url.js';
import { type GuardedOptions, guarded, staleWriteGuard } from '../../options/stale-write-guard.js';
import { millisecondsOption, prefix } from '../../options/store.js';
import { location } from './location.js';

export interface NamespaceOptions extends GuardedOptions {
  /** What every key in the store starts with. @default 'medusa' */
  namespace?: string | undefined;
  /** Lifetime of a `set` that names none, in seconds. @default 30 */
  ttl?: number | undefined;
}

export interface RedisCacheOptions extends Omit<RedisOptions, 'prefix'>, NamespaceOptions {
  /** `redis://[user:password@]host[:port][/db]` (or `valkey://`), or `unix:///path[?db=0]`; parts are percent-encoded. */
  redisUrl: string | UrlObject;
}

/** The names of the npm package `memcached` that mean something here. */
interface OwnClientOptions {
  /** As `connectTimeout`, in milliseconds. @default 2000 */
  timeout?: number | undefined;
  /** As `maxItemBytes`. @default 1048576 */
  maxValue?: number | undefined;
  /** As `namespace` beside `location`. */
  namespace?: string | undefined;
}

/** That package's options. Those that have no meaning here are ignored, and named in one line to the logger. */
export interface MemcachedClientOptions extends OwnClientOptions, IgnoredMemcachedClientOptions {}

export interface MemcachedCacheOptions extends Omit<MemcachedOptions, 'options'>, NamespaceOptions {
  /**
   * One address, several, or an object of addresses with weights. `host`, `host:port`, `[v6]:port`, a socket's path, or
   * `memcached://…`. All servers count alike: weights that differ are `CACHALOT_UNSUPPORTED`.
   * @default '127.0.0.1:11211'
   */
  location?: string | readonly string[] | Readonly<Record<string, number>> | undefined;
  /** The client's options, where they have a meaning here. @default none */
  options?: MemcachedClientOptions | undefined;
}

export interface MemoryCacheOptions extends Omit<MemoryOptions, 'prefix'>, NamespaceOptions {}

/** What a service works with. */
export interface Settings {
  readonly caller: string;
  readonly store: StoreSpec;
  /** Seconds. */
  readonly ttl: number;
}

/** As the Cache Modules of Medusa have it. */
const DEFAULT_NAMESPACE = 'medusa';
const DEFAULT_TTL = 30;

function place(caller: string): OptionPath {
  return { caller, path: '', ignored: new Set() };
}

/** Medusa adds its `database` to the options of every module, also of one that has no use for it. */
function own(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || !('database' in given)) {
    return given ?? {};
  }
  const { database: _, ...rest } = given;
  return rest;
}

const { prefix: _redisPrefix, ...redisOwn } = redisShape;

const checkRedis = object<RedisCacheOptions, ParsedRedis & { redisUrl: RedisAddress }>(
  { ...redisOwn, redisUrl, namespace: prefix, ttl: seconds, staleWriteGuard },
  ioredisNotes,
);

export function redisSettings(given: unknown): Settings {
  const at = place('cachalot/medusa/cache/redis');
  const { redisUrl: address, namespace, ttl, staleWriteGuard: guard, ...rest } = checkRedis(own(given), at);
  const names = { url: 'redisUrl', prefix: 'namespace', fallback: DEFAULT_NAMESPACE };
  const store = redisSpec(at, names, address, { ...rest, prefix: namespace });
  return { caller: at.caller, store: guarded(store, guard), ttl: ttl ?? DEFAULT_TTL };
}

/** memcached's own bounds of `-I`: 1 KiB to 1 GiB. */
const itemBytes = integer('bytes', 1024, 1024 * 1024 * 1024);

const client: Check<MemcachedClientOptions> = object<OwnClientOptions>(
  { timeout: millisecondsOption, maxValue: itemBytes, namespace: prefix },
  memcachedClientNotes,
);

const { options: _memjs, ...memcachedOwn } = memcachedShape;

const checkMemcached = object<MemcachedCacheOptions, ParsedMemcached & { location: MemcachedAddress[] }>(
  { ...memcachedOwn, location, options: client, namespace: prefix, ttl: seconds, staleWriteGuard },
  memcachedNotes,
);

export function memcachedSettings(given: unknown): Settings {
  const at = place('cachalot/medusa/cache/memcached');
  const { caller } = at;
  const {
    location,
    options,
    namespace,
    ttl,
    staleWriteGuard: guard,
    ...rest
  } = checkMemcached(own(given), at);
  const name = mergeAliases(caller, [
    ['namespace', namespace],
    ['options.namespace', options?.namespace],
  ]);
  const connectTimeout = mergeAliases(caller, [
    ['connectTimeout', rest.connectTimeout],
    ['options.timeout', options?.timeout],
  ]);
  const maxItemBytes = mergeAliases(caller, [
    ['maxItemBytes', rest.maxItemBytes],
    ['options.maxValue', options?.maxValue],
  ]);
  const store = memcachedSpec(at, location ?? DEFAULT_SERVERS, name ?? DEFAULT_NAMESPACE, {
    ...rest,
    connectTimeout,
    maxItemBytes,
  });
  return { caller, store: guarded(store, guard), ttl: ttl ?? DEFAULT_TTL };
}

const { prefix: _memoryPrefix, ...memoryOwn } = memoryShape;

const checkMemory = object<MemoryCacheOptions>({
  ...memoryOwn,
  namespace: prefix,
  ttl: seconds,
  staleWriteGuard,
});

export function memorySettings(given: unknown): Settings {
  const caller = 'cachalot/medusa/cache/memory';
  const { namespace, ttl, staleWriteGuard: guard, ...rest } = checkMemory(own(given), { caller, path: '' });
  return {
    caller,
    store: guarded(memorySpec(caller, { ...rest, prefix: namespace ?? DEFAULT_NAMESPACE }), guard),
    ttl: ttl ?? DEFAULT_TTL,
  };
}
