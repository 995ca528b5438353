import type { CacheEntry } from './types.js';

/** What a `CacheService` works over, with full keys and milliseconds. Only mistakes of the caller reject. */
export interface Backing {
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
