/** The providers' own options: the names people already have in their medusa-config, checked and made into a store. */
import { type L1Options, l1InSeconds, secondsToMs, withL1 } from '../../local-cache/settings.js';
import { mergeAliases, type OptionPath, object, seconds } from '../../options/check.js';
import { DEFAULT_SERVERS, type MemcachedAddress, memcachedServers } from '../../options/endpoint.js';
import { ioredisNotes, memcachedNotes } from '../../options/foreign-names.js';
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
import { prefix } from '../../options/store.js';

export interface RedisProviderOptions extends RedisOptions, GuardedOptions {
  /** `redis://[user:password@]host[:port][/db]` (or `valkey://`), or `unix:///path[?db=0]`; parts are percent-encoded. */
  redisUrl: string | UrlObject;
  /** Lifetime of a `set` that names none, in seconds. @default 3600 */
  ttl?: number | undefined;
  /** Keeps values in this process too; its `ttl` is in seconds. `true` = with the defaults. @default false */
  l1?: boolean | L1Options<number> | undefined;
}

export interface MemcachedProviderOptions extends MemcachedOptions, GuardedOptions {
  /** `host`, `host:port`, `[v6]:port`, a socket's path, or `memcached://…`. @default ['127.0.0.1:11211'] */
  serverUrls?: readonly string[] | undefined;
  /** What every key in the store starts with. @default 'medusa' */
  cachePrefix?: string | undefined;
  /** The same as `cachePrefix`. @default 'medusa' */
  keyPrefix?: string | undefined;
  /** Lifetime of a `set` that names none, in seconds. @default 3600 */
  defaultTtl?: number | undefined;
  /** Keeps values in this process too; its `ttl` is in seconds. `true` = with the defaults. @default false */
  l1?: boolean | L1Options<number> | undefined;
}

export interface MemoryProviderOptions extends MemoryOptions, GuardedOptions {
  /** Lifetime of a `set` that names none, in seconds. @default 3600 */
  ttl?: number | undefined;
  /** Keeps values in this process too; its `ttl` is in seconds. `true` = with the defaults. @default false */
  l1?: boolean | L1Options<number> | undefined;
}

/** What a provider works with. */
export interface Settings {
  readonly store: StoreSpec;
  /** Seconds. */
  readonly ttl: number;
}

/** One kind of provider: its name in Medusa, and what its options mean. */
export interface Face {
  readonly identifier: string;
  /** @throws CachalotError that names the option, what was expected and what came */
  settings(options: unknown): Settings;
}

/** What every caching provider of Medusa defaults to. */
const DEFAULT_TTL = 3600;

const checkRedis = object<RedisProviderOptions, ParsedRedis & { redisUrl: RedisAddress }>(
  { ...redisShape, redisUrl, ttl: seconds, l1: l1InSeconds, staleWriteGuard },
  ioredisNotes,
);

export const redisFace: Face = {
  identifier: 'cachalot-redis',
  settings(given) {
    const at = place(this);
    const {
      redisUrl: address,
      ttl = DEFAULT_TTL,
      l1,
      staleWriteGuard: guard,
      ...rest
    } = checkRedis(given ?? {}, at);
    const spec = redisSpec(at, { url: 'redisUrl', prefix: 'prefix', fallback: 'cachalot' }, address, rest);
    return { store: guarded(withL1(spec, l1, secondsToMs), guard), ttl };
  },
};

const checkMemcached = object<MemcachedProviderOptions, ParsedMemcached & { serverUrls: MemcachedAddress[] }>(
  {
    ...memcachedShape,
    serverUrls: memcachedServers,
    cachePrefix: prefix,
    keyPrefix: prefix,
    defaultTtl: seconds,
    l1: l1InSeconds,
    staleWriteGuard,
  },
  memcachedNotes,
);

export const memcachedFace: Face = {
  identifier: 'cachalot-memcached',
  settings(given) {
    const at = place(this);
    const {
      serverUrls,
      cachePrefix,
      keyPrefix,
      defaultTtl,
      l1,
      staleWriteGuard: guard,
      ...rest
    } = checkMemcached(given ?? {}, at);
    const name = mergeAliases(at.caller, [
      ['cachePrefix', cachePrefix],
      ['keyPrefix', keyPrefix],
    ]);
    const ttl = mergeAliases(at.caller, [
      ['defaultTtl', defaultTtl],
      ['options.expires', rest.options?.expires],
    ]);
    const spec = memcachedSpec(at, serverUrls ?? DEFAULT_SERVERS, name ?? 'medusa', rest);
    return { store: guarded(withL1(spec, l1, secondsToMs), guard), ttl: ttl ?? DEFAULT_TTL };
  },
};

const checkMemory = object<MemoryProviderOptions>({
  ...memoryShape,
  ttl: seconds,
  l1: l1InSeconds,
  staleWriteGuard,
});

export const memoryFace: Face = {
  identifier: 'cachalot-memory',
  settings(given) {
    const at = place(this);
    const { ttl = DEFAULT_TTL, l1, staleWriteGuard: guard, ...rest } = checkMemory(given ?? {}, at);
    return { store: guarded(withL1(memorySpec(at.caller, rest), l1, secondsToMs), guard), ttl };
  },
};

function place(caller: Face): OptionPath {
  return { caller: caller.identifier, path: '', ignored: new Set() };
}
