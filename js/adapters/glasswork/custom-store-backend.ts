/** `CacheService` over a store of the user's own: single flight in this process, everything else as that store has it. */

import { errorMessage, UnsupportedError } from '../../shared/errors.js';
import type { CacheLogger } from '../../shared/logger.js';
import { Logger } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import { TIMED_OUT, withTimeout } from '../../shared/with-timeout.js';
import { CALLER } from './arguments.js';
import type { CacheBackend, CacheEntry, CacheStore } from './types.js';

/** Whoever asks later than that makes a value of his own, so that a function that hangs keeps nobody waiting for ever. */
const LEASE_MS = 30_000;

/** A value being made. */
interface CustomLoad {
  /** On the clock of `performance`. */
  readonly began: number;
  value: Promise<unknown>;
  /** The key was set, deleted or made anew since it began: it is given to those who wait, and not stored. */
  isDiscarded: boolean;
}

export class CustomStoreBackend implements CacheBackend {
  readonly #store: CacheStore;
  readonly #log: OutageLog;
  readonly #flights = new Map<string, CustomLoad>();

  constructor(store: CacheStore, logger: CacheLogger) {
    this.#store = store;
    this.#log = new OutageLog(new Logger(logger, `${CALLER} ${store.name}`));
  }

  async value(key: string): Promise<unknown> {
    return (await this.entry(key))?.value;
  }

  async entry(key: string): Promise<CacheEntry<unknown> | undefined> {
    const found = await this.#attempt('get', key, () => this.#store.get<unknown>(key));
    // What was stored past a CacheService has no time of its own.
    return found === undefined || isEntry(found) ? found : { value: found, cachedAt: Date.now() };
  }

  async has(key: string): Promise<boolean> {
    return this.#store.has
      ? ((await this.#attempt('has', key, async () => this.#store.has?.(key))) ?? false)
      : (await this.entry(key)) !== undefined;
  }

  async set(key: string, value: unknown, ttl: number): Promise<void> {
    this.#supersede(key);
    await this.#write(key, value, ttl);
  }

  async del(key: string): Promise<void> {
    this.#supersede(key);
    await this.#attempt('delete', key, () => this.#store.del(key));
  }

  async delByPattern(pattern: string, before: string): Promise<number | undefined> {
    if (!this.#store.delByPattern) {
      throw new UnsupportedError(
        `${CALLER}: delByPattern: the store "${this.#store.name}" has no delByPattern. Give it one, or delete by keys. Nothing was done.`,
      );
    }
    // Which keys it fits is that store's to say.
    for (const key of this.#flights.keys()) {
      this.#supersede(key);
    }
    const whole = before + pattern;
    return this.#attempt('delete by pattern', whole, async () => this.#store.delByPattern?.(whole));
  }

  async wrap(key: string, ttl: number, fn: () => unknown): Promise<unknown> {
    const entry = await this.entry(key);
    return entry === undefined ? this.#made(key, ttl, fn) : entry.value;
  }

  async wrapSWR(key: string, stale: number, max: number, fn: () => unknown): Promise<unknown> {
    const entry = await this.entry(key);
    if (entry === undefined) {
      return this.#made(key, max, fn);
    }
    if (Date.now() - entry.cachedAt > stale && this.#running(key) === undefined) {
      this.#start(key, max, fn).catch((error) => this.#failed('refresh', key, error));
    }
    return entry.value;
  }

  /** What the running function of the key makes, if it does so in time; else what this caller's own makes. */
  async #made(key: string, ttl: number, fn: () => unknown): Promise<unknown> {
    for (let running = this.#running(key); running !== undefined; running = this.#running(key)) {
      const made = await withTimeout(running.value, running.began + LEASE_MS - performance.now());
      if (made !== TIMED_OUT) {
        return made;
      }
    }
    return this.#start(key, ttl, fn);
  }

  #start(key: string, ttl: number, fn: () => unknown): Promise<unknown> {
    this.#supersede(key);
    const load: CustomLoad = { began: performance.now(), value: Promise.resolve(), isDiscarded: false };
    this.#flights.set(key, load);
    load.value = this.#fly(key, ttl, fn, load);
    return load.value;
  }

  #running(key: string): CustomLoad | undefined {
    const load = this.#flights.get(key);
    return load !== undefined && performance.now() - load.began < LEASE_MS ? load : undefined;
  }

  async #fly(key: string, ttl: number, fn: () => unknown, load: CustomLoad): Promise<unknown> {
    try {
      const made = await fn();
      // undefined is how a miss looks.
      if (made !== undefined && !load.isDiscarded) {
        await this.#write(key, made, ttl);
      }
      return made;
    } finally {
      if (this.#flights.get(key) === load) {
        this.#flights.delete(key);
      }
    }
  }

  #supersede(key: string): void {
    const load = this.#flights.get(key);
    if (load !== undefined) {
      load.isDiscarded = true;
      this.#flights.delete(key);
    }
  }

  async #write(key: string, value: unknown, ttl: number): Promise<void> {
    const entry = { value, cachedAt: Date.now() };
    await this.#attempt('set', key, () => this.#store.set(key, entry, ttl / 1000));
  }

  /** A store that throws is a miss, and a line in the log. */
  async #attempt<T>(what: string, key: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      this.#failed(what, key, error);
      return undefined;
    }
  }

  #failed(what: string, key: string, error: unknown): void {
    this.#log.failed(what, new Error(`"${key}": ${errorMessage(error)}`));
  }
}

function isEntry(found: unknown): found is CacheEntry<unknown> {
  return (
    typeof found === 'object' &&
    found !== null &&
    'value' in found &&
    typeof (found as { cachedAt?: unknown }).cachedAt === 'number'
  );
}
