/** Glasswork's interfaces of its cache, written out so that nothing of Glasswork's is imported. */
import type { CacheLogger } from '../../shared/logger.js';

/** What a `CacheService` caches in: one of the stores here, or a class of your own. */
export interface CacheStore {
  /** For logs. */
  readonly name: string;
  /** @returns `undefined` for a miss */
  get<T>(key: string): Promise<T | undefined>;
  /** @param ttl seconds */
  set<T>(key: string, value: T, ttl: number): Promise<void>;
  del(key: string): Promise<void>;
  /** @returns how many keys were deleted, or `undefined` if it cannot say */
  delByPattern?(pattern: string): Promise<number | undefined>;
  has?(key: string): Promise<boolean>;
  clear?(): Promise<void>;
}

/** A value, and when it was cached. */
export interface CacheEntry<T> {
  value: T;
  /** Milliseconds since 1970. */
  cachedAt: number;
}

export interface CacheConfig {
  /** Lifetime of what names none, in seconds above 0. */
  defaultTTL: number;
  /** What the keys of this service begin with, and a `:` after it. @default none */
  keyPrefix?: string | undefined;
  /** Gets what is not thrown: failures of a store of your own, and of refreshes behind a value. @default console */
  logger?: CacheLogger | undefined;
}

/** What a `CacheService` works over, with full keys and milliseconds. Only mistakes of the caller reject. */
export interface CacheBackend {
  value(key: string): Promise<unknown>;
  entry(key: string): Promise<CacheEntry<unknown> | undefined>;
  has(key: string): Promise<boolean>;
  set(key: string, value: unknown, ttl: number): Promise<void>;
  del(key: string): Promise<void>;
  /** @param before what stands literally before the pattern */
  delByPattern(pattern: string, before: string): Promise<number | undefined>;
  /** The value, or what `fn` makes: one run a key, whoever asks. */
  wrap(key: string, ttl: number, fn: () => unknown): Promise<unknown>;
  /** The same, but a value older than `stale` is made anew behind, while it is served. */
  wrapSWR(key: string, stale: number, max: number, fn: () => unknown): Promise<unknown>;
}
