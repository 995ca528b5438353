/** `CacheService` over a store of ours: by the engine of `Cache`, whose reads guard its writes. */
import { Cache } from '../../cache/cache.js';
import { refuseUnlistable } from '../../cache/clear-matching.js';
import type { Core } from '../../cache/core.js';
import { getOrSet } from '../../cache/get-or-set.js';
import type { ResolvedEntryOptions } from '../../cache/options.js';
import { patternOf } from '../../cache/patterns.js';
import { NO_TAGS } from '../../store/tags.js';
import { CALLER } from './arguments.js';
import { clearPattern, write } from './store.js';
import type { CacheBackend, CacheEntry } from './types.js';

export class NativeBackend implements CacheBackend {
  readonly #core: Core;
  readonly #cache: Cache<unknown>;

  constructor(core: Core) {
    this.#core = core;
    this.#cache = Cache.over(core);
  }

  value(key: string): Promise<unknown> {
    return this.#cache.get(key);
  }

  async entry(key: string): Promise<CacheEntry<unknown> | undefined> {
    const reading = await this.#core.attempt('get', undefined, () => this.#core.store.read(key, true));
    if (reading?.value === undefined || reading.stale) {
      return undefined;
    }
    const decoded = this.#core.decode(reading.value);
    return decoded && { value: decoded.value, cachedAt: reading.times?.created ?? Date.now() };
  }

  has(key: string): Promise<boolean> {
    return this.#cache.has(key);
  }

  async set(key: string, value: unknown, ttl: number): Promise<void> {
    const text = this.#core.encode(key, value);
    await this.#core.attempt('set', false, () => write(this.#core, key, text, ttl));
  }

  async del(key: string): Promise<void> {
    await this.#cache.delete(key);
  }

  async delByPattern(pattern: string, before: string): Promise<number | undefined> {
    const { kind } = this.#core.settings.store;
    refuseUnlistable(CALLER, kind, patternOf(pattern, before));
    return this.#core.attempt('delete by pattern', undefined, () =>
      clearPattern(this.#core, pattern, before),
    );
  }

  wrap(key: string, ttl: number, fn: () => unknown): Promise<unknown> {
    return this.#made('wrap', key, { ttl }, fn);
  }

  wrapSWR(key: string, stale: number, max: number, fn: () => unknown): Promise<unknown> {
    return this.#made('wrapSWR', key, { ttl: max, maxAge: stale }, fn);
  }

  #made(
    method: string,
    key: string,
    timing: Partial<ResolvedEntryOptions>,
    fn: () => unknown,
  ): Promise<unknown> {
    const times = { ...this.#core.settings.computing, hasTimes: true, ...timing };
    return this.#core.during(() =>
      getOrSet(this.#core, { method, key, factory: () => fn(), tags: NO_TAGS, timing: times }),
    );
  }
}
