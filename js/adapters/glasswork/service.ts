/** Glasswork's `CacheService`: typed keys, a prefix, a default ttl, and values that are made once. */

import { type Check, describe, invalid, object } from '../../options/check.js';
import { refused } from '../../shared/arguments.js';
import { ConfigError } from '../../shared/errors.js';
import { consoleLogger, loggerOption } from '../../shared/logger.js';
import { age, CALLER, callable, keyOf, patternFrom, ttlMs } from './arguments.js';
import { CustomStoreBackend } from './custom-store-backend.js';
import type { Given, PlainKey, TypedKey } from './keys.js';
import { NativeBackend } from './native-backend.js';
import { coreOf } from './store.js';
import type { CacheBackend, CacheConfig, CacheEntry, CacheStore } from './types.js';

type Made<T> = T | Promise<T>;

const aboveZero: Check<number> = (value, at) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw invalid(at, 'a number of seconds above 0', describe(value));
  }
  return value;
};

const checkConfig = object<CacheConfig>({
  defaultTTL: aboveZero,
  keyPrefix: (value, at) => {
    if (typeof value !== 'string') {
      throw invalid(at, 'a string', describe(value));
    }
    return value;
  },
  logger: loggerOption,
});

/**
 * A cache over a store. Outages are misses: `get` answers `undefined`, what cannot be written or deleted is logged, and
 * `wrap` gives what its function makes. Mistakes of the caller (an empty key, a ttl that is not above 0, a value that
 * JSON cannot hold) reject with `CACHALOT_CONFIG`.
 *
 * Over a `CachalotStore` (also `RedisCacheStore` and `MemoryCacheStore`) the function of `wrap` and `wrapSWR` runs once
 * a key among all processes, and what it read before the key was deleted is not stored. Over a store of your own it runs
 * once in this process.
 */
export class CacheService {
  // Not #private: a container may hand the service out behind a Proxy, through which #fields cannot be reached.
  private readonly backing: CacheBackend;
  private readonly defaultTTL: number;
  private readonly before: string;

  /**
   * @param store a store of `cachalot/glasswork`, or your own
   * @throws ConfigError that names the option, what was expected and what came
   */
  constructor(store: CacheStore, config: CacheConfig) {
    const own = coreOf(store);
    if (own === undefined && typeof (store as Partial<CacheStore> | null | undefined)?.get !== 'function') {
      throw new ConfigError(
        `${CALLER}: store: expected a CacheStore such as new CachalotStore({ store: redis({ url }) }), got ${describe(store)}.`,
      );
    }
    const {
      defaultTTL,
      keyPrefix,
      logger = consoleLogger,
    } = checkConfig(config, { caller: CALLER, path: '' });
    this.defaultTTL = defaultTTL ?? aboveZero(undefined, { caller: CALLER, path: 'defaultTTL' });
    this.before = keyPrefix ? `${keyPrefix}:` : '';
    this.backing = own ? new NativeBackend(own) : new CustomStoreBackend(store, logger);
  }

  /**
   * Reads a value.
   * @returns the value, or `undefined`; also in an outage
   * @example
   * const user = await service.get<User>('user:1');
   */
  async get<T>(key: TypedKey<T>): Promise<T | undefined>;
  async get<T = unknown>(key: PlainKey): Promise<T | undefined>;
  async get(key: unknown): Promise<unknown> {
    return this.backing.value(this.full(key));
  }

  /**
   * Reads a value with its age.
   * @returns the value and when it was cached, or `undefined`; also in an outage
   * @example
   * const entry = await service.getWithMetadata<User>('user:1');
   */
  async getWithMetadata<T>(key: TypedKey<T>): Promise<CacheEntry<T> | undefined>;
  async getWithMetadata<T = unknown>(key: PlainKey): Promise<CacheEntry<T> | undefined>;
  async getWithMetadata(key: unknown): Promise<CacheEntry<unknown> | undefined> {
    return this.backing.entry(this.full(key));
  }

  /**
   * Stores a value.
   * @param ttl seconds above 0. @default the option `defaultTTL`
   * @example
   * await service.set('user:1', user, 60);
   */
  async set<T>(key: TypedKey<T>, value: Given<T>, ttl?: number): Promise<void>;
  async set(key: PlainKey, value: unknown, ttl?: number): Promise<void>;
  async set(key: unknown, value: unknown, ttl?: number): Promise<void> {
    await this.backing.set(this.full(key), value, this.ttl(ttl));
  }

  /**
   * Removes a value.
   * @example
   * await service.del('user:1');
   */
  async del(key: TypedKey<unknown> | PlainKey): Promise<void> {
    await this.backing.del(this.full(key));
  }

  /**
   * Whether there is a value; false in an outage.
   * @example
   * const isCached = await service.has('user:1');
   */
  async has(key: TypedKey<unknown> | PlainKey): Promise<boolean> {
    return this.backing.has(this.full(key));
  }

  /**
   * The cached value, or what `fn` makes, which is then cached. `undefined` is given and not cached.
   * @param ttl seconds above 0. @default the option `defaultTTL`
   * @throws whatever `fn` throws
   * @example
   * const user = await service.wrap('user:1', 60, () => load(1));
   */
  async wrap<T>(key: TypedKey<T>, ttl: number | undefined, fn: () => Made<Given<T>>): Promise<T>;
  async wrap<T>(key: TypedKey<T>, fn: () => Made<Given<T>>): Promise<T>;
  async wrap<T>(key: PlainKey, ttl: number | undefined, fn: () => Made<T>): Promise<T>;
  async wrap<T>(key: PlainKey, fn: () => Made<T>): Promise<T>;
  async wrap(key: unknown, second: unknown, third?: unknown): Promise<unknown> {
    const [ttl, fn] =
      typeof second === 'function' && third === undefined ? [undefined, second] : [second, third];
    return this.backing.wrap(this.full(key), this.ttl(ttl), callable(fn) as () => unknown);
  }

  /**
   * The cached value; one older than `staleTTL` is served once more, and made anew behind. A refresh that fails is
   * logged, and the value is served until `maxTTL`.
   * @param staleTTL seconds since the value was cached
   * @param maxTTL seconds above 0 and not less than `staleTTL`, after which there is no value any more
   * @throws whatever `fn` throws where there is no value
   * @example
   * const user = await service.wrapSWR('user:1', 60, 3600, () => load(1));
   */
  async wrapSWR<T>(key: TypedKey<T>, staleTTL: number, maxTTL: number, fn: () => Made<Given<T>>): Promise<T>;
  async wrapSWR<T>(key: PlainKey, staleTTL: number, maxTTL: number, fn: () => Made<T>): Promise<T>;
  async wrapSWR(key: unknown, staleTTL: unknown, maxTTL: unknown, fn: unknown): Promise<unknown> {
    const [stale, max] = [age('staleTTL', staleTTL), ttlMs('maxTTL', maxTTL)];
    if (max < stale) {
      throw refused(CALLER, 'maxTTL', `at least as long as staleTTL (${staleTTL} s)`, `${maxTTL} s`);
    }
    return this.backing.wrapSWR(this.full(key), stale, max, callable(fn) as () => unknown);
  }

  /**
   * Deletes the keys that a pattern fits: `*` stands for any characters, all others for themselves. The service's
   * `keyPrefix` stands before it.
   * @returns how many there were, or `undefined` where nobody counted: see the store
   * @throws UnsupportedError (rejects) on a pattern that memcached cannot serve; it says which it can
   * @example
   * await service.delByPattern('user:*');
   */
  async delByPattern(pattern: string): Promise<number | undefined> {
    return this.backing.delByPattern(patternFrom(pattern), this.before);
  }

  private full(key: unknown): string {
    return this.before + keyOf(key);
  }

  private ttl(given: unknown): number {
    return ttlMs('ttl', given === undefined ? this.defaultTTL : given);
  }
}
