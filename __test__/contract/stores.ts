// The stores that the contract holds for: one provider's face over each of them.

import { randomUUID } from 'node:crypto';
import { afterEach, inject } from 'vitest';
import {
  MemcachedCachingProvider,
  type MemcachedProviderOptions,
  MemoryCachingProvider,
  type MemoryProviderOptions,
  RedisCachingProvider,
  type RedisProviderOptions,
} from '../../js/adapters/medusa/index.js';
import type { NativeStore } from '../../js/store/native-store.js';
import { memcachedRaw } from './raw-memcached.js';
import { redisRaw } from './raw-redis.js';

export type Provider = RedisCachingProvider | MemcachedCachingProvider | MemoryCachingProvider;

/** Options under one name for all backends. */
export interface OpenOptions {
  prefix?: string;
  /** Seconds. */
  ttl?: number;
  compression?: boolean | { threshold?: number; level?: number; algorithm?: 'zstd' | 'lz4' | 'deflate' };
  maxValueBytes?: number;
  staleWriteGuard?: { ms?: number; max?: number };
  l1?: boolean;
}

/** What lies in a server, as another client sees it. Keys are the store's own. */
export interface Raw {
  keys(prefix: string): Promise<string[]>;
  get(key: string): Promise<Buffer | undefined>;
  put(key: string, value: Buffer): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

export interface StoreUnderTest {
  readonly name: string;
  readonly kind: 'memory' | 'redis' | 'memcached';
  open(options?: OpenOptions, logger?: object): Provider;
  /** Options for a provider in another process or thread. */
  options(given?: OpenOptions): { kind: 'memory' | 'redis' | 'memcached'; options: Record<string, unknown> };
  /** Absent: nothing outside the process to look at. */
  readonly raw?: Raw;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export function redisStore(name: string, url: string, port: number, tracking: boolean): StoreUnderTest {
  const options = ({ ...given }: OpenOptions = {}) => ({ redisUrl: url, tracking, ...given });
  return {
    name,
    kind: 'redis',
    open: (given, logger = silent) =>
      new RedisCachingProvider({ logger }, options(given) as RedisProviderOptions),
    options: (given) => ({ kind: 'redis', options: options(given) }),
    raw: redisRaw(port),
  };
}

export function memcachedStore(name: string, addresses: readonly string[]): StoreUnderTest {
  const options = ({ prefix, ttl, ...given }: OpenOptions = {}) => ({
    serverUrls: [...addresses],
    ...(prefix === undefined ? {} : { cachePrefix: prefix }),
    ...(ttl === undefined ? {} : { defaultTtl: ttl }),
    ...given,
  });
  return {
    name,
    kind: 'memcached',
    open: (given, logger = silent) =>
      new MemcachedCachingProvider({ logger }, options(given) as MemcachedProviderOptions),
    options: (given) => ({ kind: 'memcached', options: options(given) }),
    raw: memcachedRaw(addresses.map((address) => Number(address.split(':')[1]))),
  };
}

export function memoryStore(): StoreUnderTest {
  // One name, so that two providers of a test are two handles on one store, as two clients of a server are.
  const options = (given: OpenOptions = {}) => ({ name: 'contract', ...given });
  return {
    name: 'memory',
    kind: 'memory',
    open: (given, logger = silent) =>
      new MemoryCachingProvider({ logger }, options(given) as MemoryProviderOptions),
    options: (given) => ({ kind: 'memory', options: options(given) }),
  };
}

/** All of them, over the servers that the run shares. */
export function stores(): StoreUnderTest[] {
  const { redis, memcached } = inject('servers');
  return storesAt(redis, memcached);
}

export function storesAt(
  redis: { url: string; port: number },
  memcached: readonly string[],
): StoreUnderTest[] {
  return [
    memoryStore(),
    redisStore('redis with tracking', redis.url, redis.port, true),
    redisStore('redis without tracking', redis.url, redis.port, false),
    memcachedStore('memcached, one server', memcached.slice(0, 1)),
    memcachedStore('memcached, three servers', memcached),
  ];
}

/**
 * The same, which keeps values in the process too. What other programs write is seen one push later: such a write is
 * followed here by a round trip of every connection.
 */
export function withL1(store: StoreUnderTest): StoreUnderTest {
  const open = new Set<Provider>();
  const heard = () => Promise.all([...open].map(roundTrip));
  const { raw } = store;
  return {
    ...store,
    name: `${store.name}, with l1`,
    open(given, logger) {
      const provider = store.open({ l1: true, ...given }, logger);
      open.add(provider);
      const { close } = provider;
      provider.close = () => {
        open.delete(provider);
        return close.call(provider);
      };
      return provider;
    },
    options: (given) => store.options({ l1: true, ...given }),
    ...(raw && {
      raw: {
        ...raw,
        async put(key: string, value: Buffer) {
          await raw.put(key, value);
          await heard();
        },
        async remove(keys: readonly string[]) {
          await raw.remove(keys);
          await heard();
        },
      },
    }),
  };
}

/** By something that no stats count. */
async function roundTrip(provider: Provider): Promise<void> {
  const { store } = provider as unknown as { store: NativeStore };
  await store.unlock('none', 'nobody').catch(() => {});
}

/** A prefix that no other test has. */
export function uniquePrefix(stem = 't'): string {
  return `${stem}${randomUUID().slice(0, 13)}`;
}

/** Opens providers on one prefix of their own and closes them after each test. */
export function opener(store: StoreUnderTest): (options?: OpenOptions, logger?: object) => Provider {
  const open: Provider[] = [];
  let prefix = uniquePrefix();
  afterEach(async () => {
    await Promise.all(open.splice(0).map((provider) => provider.close()));
    prefix = uniquePrefix();
  });
  return (options = {}, logger) => {
    const provider = store.open({ prefix, ...options }, logger);
    open.push(provider);
    return provider;
  };
}
