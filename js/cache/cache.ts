/** `Cache`: what people call. Every method takes one object of options; some take a bare key or list too. */

import { describe } from '../options/check.js';
import type { Duration } from '../options/duration.js';
import type { Jsonify, Made } from '../serializer/jsonify.js';
import {
  callable,
  checkEvent,
  GET_OR_SET,
  GET_OR_SET_FOREVER,
  key,
  options,
  positional,
  READY_NAMES,
  refused,
  tagsToStore,
  timing,
} from './arguments.js';
import { CacheWrites } from './cache-writes.js';
import type { Core } from './core.js';
import type { Factory } from './factory.js';
import { byAge, getOrSet } from './get-or-set.js';
import { ping, READY, type ReadyOptions, ready } from './health.js';
import { joinNamespace } from './namespaces.js';
import { CALLER } from './options.js';
import { localHit as fromL1 } from './read.js';
import type { CacheEventName, CacheEvents, CacheStats } from './telemetry.js';
import type { GetOrSetOptions, JsonStorable } from './types.js';

/** What `await using` asks for, where the application's library of TypeScript's has it. */
type AsyncDisposes = typeof globalThis extends {
  Symbol: { readonly asyncDispose: infer Name extends symbol };
}
  ? { [Its in Name]: () => Promise<void> }
  : object;

/**
 * A cache over one store, or a namespace of it. Made by `createCache`.
 *
 * A miss is `undefined`; `null` is a value like any other. In an outage reads miss and writes answer `false` (with
 * `errors: 'throw'` both reject); the caller's mistakes always reject, with `CACHALOT_CONFIG`.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: it has the method that the interface tells of
export class Cache<Allowed = JsonStorable> extends CacheWrites {
  /** @internal */
  static over<Allowed>(core: Core, namespacePath = ''): Cache<Allowed> {
    return new Cache<Allowed>(core, namespacePath);
  }

  /**
   * Returns the fresh value, or what the factory makes: it runs once per key in this process, and once among all processes. Within
   * its grace a stale value is served while the factory runs in the background, or when it fails.
   * @throws whatever the factory throws, if there is no stale value
   * @throws FactoryTimeoutError (rejects) after `hardTimeout`, if there is no stale value
   * @example
   * const product = await cache.getOrSet({ key: 'product:1', ttl: '10m', grace: '1h', factory: () => load(1) });
   */
  async getOrSet<T, R extends T | Jsonify<T> = Made<T, Allowed>>(given: GetOrSetOptions<T>): Promise<R> {
    return this.compute('getOrSet', options<GetOrSetOptions<T>>('getOrSet', given, GET_OR_SET));
  }

  /**
   * `getOrSet` without an end.
   * @example
   * const countries = await cache.getOrSetForever({ key: 'countries', factory: () => ['is', 'no'] });
   */
  async getOrSetForever<T, R extends T | Jsonify<T> = Made<T, Allowed>>(
    given: Omit<GetOrSetOptions<T>, 'ttl'>,
  ): Promise<R> {
    const asked = options<GetOrSetOptions<T>>('getOrSetForever', given, GET_OR_SET_FOREVER);
    return this.compute('getOrSetForever', { ...asked, ttl: null });
  }

  /**
   * `getOrSet` by position.
   * @param ttl milliseconds or text; `undefined` = the cache's; `null` = without an end
   * @example
   * const product = await cache.wrap('product:1', '10m', () => load(1));
   */
  async wrap<T, R extends T | Jsonify<T> = Made<T, Allowed>>(
    key: string,
    ttl: Duration | null | undefined,
    fn: Factory<T>,
  ): Promise<R> {
    const factory = callable('wrap', 'fn', fn, () => `wrap(${describe(key)}, ttl, fn)`);
    return this.compute('wrap', { key, ttl, factory });
  }

  /**
   * Serves a value as fresh for `stale`, then, until `max`, serves it while a new one is made in the background.
   * @param stale milliseconds or text, from when the value was made; likewise `max`, which is not shorter
   * @example
   * const product = await cache.wrapSWR('product:1', '1m', '1h', () => load(1));
   */
  async wrapSWR<T, R extends T | Jsonify<T> = Made<T, Allowed>>(
    key: string,
    stale: Duration,
    max: Duration,
    fn: Factory<T>,
  ): Promise<R> {
    const ttl = positional('wrapSWR', 'stale', stale);
    const end = positional('wrapSWR', 'max', max);
    if (end < ttl) {
      throw refused('wrapSWR', 'max', `at least as long as stale (${ttl} ms)`, `${end} ms`);
    }
    const factory = callable('wrapSWR', 'fn', fn, () => `wrapSWR(${describe(key)}, stale, max, fn)`);
    // Fresh for no time at all is a millisecond: a ttl of 0 would store nothing.
    const fresh = end === 0 ? 0 : Math.max(1, ttl);
    return this.compute('wrapSWR', { key, ttl: fresh, grace: Math.max(0, end - fresh), timeout: 0, factory });
  }

  /**
   * Returns a handle on a part of this cache: its keys are `name:` and what follows.
   * @throws ConfigError on more than 8 levels
   * @example
   * const products = cache.namespace('products');
   */
  namespace(name: string): Cache<Allowed> {
    return Cache.over(this.core, joinNamespace(CALLER, this.namespacePath, name));
  }

  /**
   * Counters of all namespaces together since the cache was made.
   * @example
   * const { hits, misses } = cache.stats();
   */
  stats(): CacheStats {
    return this.core.telemetry.stats(this.core.store.stats());
  }

  /**
   * Listens to an event.
   * @returns a function that removes the listener
   * @example
   * const off = cache.on('hit', ({ key, stale }) => console.log(key, stale));
   */
  on<Name extends CacheEventName>(event: Name, listener: (detail: CacheEvents[Name]) => void): () => void {
    checkEvent(event);
    return this.core.telemetry.on(event, callable('on', 'listener', listener));
  }

  /**
   * Asks the server for a key that cannot exist, past everything that is kept in this process. For health checks.
   * @throws CachalotError (rejects) whatever `errors` says, by its `code`: CACHALOT_CONNECTION, CACHALOT_TIMEOUT, ...
   * @example
   * await cache.ping();
   */
  ping(): Promise<void> {
    return ping(this.core);
  }

  /**
   * Resolves once the server has answered, which may be at once. For the start of a process, or of a test.
   * @throws CachalotError (rejects) after `timeout`, with what the last attempt failed with; at once after `close()`, or if
   * the server is none that can be used
   * @example
   * await cache.ready({ timeout: '5s' });
   */
  async ready(given: ReadyOptions = {}): Promise<void> {
    const { timeout = READY } = options<ReadyOptions>('ready', given, READY_NAMES);
    await ready(this.core, positional('ready', 'timeout', timeout));
  }

  /**
   * Waits for running factories (5 s at most) and operations, then lets go of connections. Later calls reject. On a
   * namespace it does nothing: the cache that it is a part of is open for others.
   * @example
   * await cache.close();
   */
  async close(): Promise<void> {
    if (this.namespacePath === '') {
      await this.core.close();
    }
  }

  /** @internal Told to the compiler by `AsyncDisposes`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async compute<R>(method: string, given: GetOrSetOptions<unknown>): Promise<R> {
    const full = this.full(method, key(method, given.key));
    const call = {
      method,
      key: full,
      factory: callable(method, 'factory', given.factory) as Factory,
      tags: tagsToStore(method, given.tags),
      timing: timing(method, given, this.core.settings.computing),
    };
    const localHit = byAge(call.timing) ? undefined : fromL1(this.core, full);
    if (localHit !== undefined) {
      return localHit as R;
    }
    const began = this.core.telemetry.begin('read');
    const value = await this.core.during(() => getOrSet(this.core, call));
    this.core.telemetry.end('read', began);
    return value as R;
  }
}

// biome-ignore lint/correctness/noUnusedVariables: both declarations name the same
export interface Cache<Allowed> extends AsyncDisposes {}
