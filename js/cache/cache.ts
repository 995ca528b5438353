/** `Cache`: what people call. Every method takes one object of options; some take a bare key or list too. */

import { describe } from '../options/check.js';
import type { Duration } from '../options/duration.js';
import type { Jsonify, Made } from '../serializer/jsonify.js';
import {
  callable,
  checkEvent,
  entriesOf,
  fullKey,
  GET,
  GET_OR_SET,
  GET_OR_SET_FOREVER,
  key,
  keyOf,
  keysOf,
  options,
  positional,
  READY_NAMES,
  refused,
  SET,
  SET_FOREVER,
  tagsToClear,
  tagsToStore,
  timing,
} from './arguments.js';
import type { Core } from './core.js';
import type { Factory } from './factory.js';
import { byAge, getOrSet } from './get-or-set.js';
import { ping, READY, type ReadyOptions, ready } from './health.js';
import { joinNamespace } from './namespaces.js';
import { CALLER } from './options.js';
import { localHit as fromL1, read, readMany } from './read.js';
import type { CacheEventName, CacheEvents, CacheStats } from './telemetry.js';
import type {
  DeleteManyOptions,
  GetOptions,
  GetOrSetOptions,
  JsonStorable,
  SetForeverOptions,
  SetOptions,
  TagsOptions,
} from './types.js';
import { clearNamespace, clearTags, expire, inSlices, prepared, pull, remove, write } from './write.js';

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
export class Cache<Allowed = JsonStorable> {
  // Not #private: a cache may be handed out behind a Proxy, through which #fields cannot be reached.
  private readonly core: Core;
  /** Without a last `:`; empty at the root. */
  private readonly namespacePath: string;

  private constructor(core: Core, namespacePath: string) {
    this.core = core;
    this.namespacePath = namespacePath;
  }

  /** @internal */
  static over<Allowed>(core: Core, namespacePath = ''): Cache<Allowed> {
    return new Cache<Allowed>(core, namespacePath);
  }

  /** @returns the fresh value, or `undefined` (or `defaultValue`) */
  async get<T = unknown>(key: string): Promise<T | undefined>;
  async get<T = unknown>(options: GetOptions<T> & { defaultValue: T }): Promise<T>;
  async get<T = unknown>(options: GetOptions<T>): Promise<T | undefined>;
  async get(given: string | GetOptions<unknown>): Promise<unknown> {
    if (typeof given === 'string') {
      // Before it is checked: what is kept was asked for before.
      const localHit = fromL1(
        this.core,
        this.namespacePath === '' ? given : `${this.namespacePath}:${given}`,
      );
      if (localHit !== undefined) {
        return localHit;
      }
    }
    const full = this.full('get', keyOf('get', given, GET));
    // Not by `attempt`: this is the most frequent call, and a function and a promise more are a third of its time.
    this.core.open();
    let value: unknown;
    try {
      value = await read(this.core, full);
    } catch (error) {
      this.core.reportError('get', error);
    }
    return value === undefined && typeof given === 'object' ? given.defaultValue : value;
  }

  /** @returns a value or `undefined` for each key, in order */
  async getMany<T = unknown>(
    given: readonly string[] | { keys: readonly string[] },
  ): Promise<(T | undefined)[]> {
    const keys = keysOf('getMany', given).map((one) => this.full('getMany', one));
    const values = await inSlices(this.core, keys, (some) => readMany(this.core, some));
    return values.flat() as (T | undefined)[];
  }

  /**
   * Replaces value, tags and lifetimes of the key together.
   * @returns false in an outage, or if a clear since the miss that it follows made the data too old: nothing was stored
   * @throws ConfigError (rejects) on a value that the serializer cannot represent; nothing was stored
   * @throws TooLargeError (rejects) on a value over the store's limit; no older value is left
   */
  async set<T>(given: SetOptions<T>): Promise<boolean> {
    return this.store('set', options<SetOptions<unknown>>('set', given, SET));
  }

  /** The same as `set`. */
  async put<T>(given: SetOptions<T>): Promise<boolean> {
    return this.store('put', options<SetOptions<unknown>>('put', given, SET));
  }

  /** `set` without an end. */
  async setForever<T>(given: SetForeverOptions<T>): Promise<boolean> {
    const asked = options<SetForeverOptions<unknown>>('setForever', given, SET_FOREVER);
    return this.store('setForever', { ...asked, ttl: null });
  }

  /** All are checked before any is stored. @returns true if all are stored */
  async setMany(
    given: readonly SetOptions<unknown>[] | { entries: readonly SetOptions<unknown>[] },
  ): Promise<boolean> {
    this.core.open();
    const entries = entriesOf('setMany', given);
    const writes = entries.map((entry, at) => {
      const method = `setMany: entries[${at}]`;
      return prepared(
        this.core,
        this.namespacePath,
        method,
        options<SetOptions<unknown>>(method, entry, SET),
      );
    });
    const stored = await inSlices(this.core, writes, (some) =>
      Promise.all(some.map((one) => write(this.core, 'setMany', one))),
    );
    return stored.flat().every(Boolean);
  }

  /**
   * The fresh value, or what the factory makes: one run a key in this process, and one among all processes. Within its
   * grace a stale value is served while the factory runs behind, or when it fails.
   * @throws whatever the factory throws, if there is no stale value
   * @throws FactoryTimeoutError (rejects) after `hardTimeout`, if there is no stale value
   */
  async getOrSet<T, R extends T | Jsonify<T> = Made<T, Allowed>>(given: GetOrSetOptions<T>): Promise<R> {
    return this.compute('getOrSet', options<GetOrSetOptions<T>>('getOrSet', given, GET_OR_SET));
  }

  /** `getOrSet` without an end. */
  async getOrSetForever<T, R extends T | Jsonify<T> = Made<T, Allowed>>(
    given: Omit<GetOrSetOptions<T>, 'ttl'>,
  ): Promise<R> {
    const asked = options<GetOrSetOptions<T>>('getOrSetForever', given, GET_OR_SET_FOREVER);
    return this.compute('getOrSetForever', { ...asked, ttl: null });
  }

  /** `getOrSet` by position. @param ttl milliseconds or text; `undefined` = the cache's; `null` = for ever */
  async wrap<T, R extends T | Jsonify<T> = Made<T, Allowed>>(
    key: string,
    ttl: Duration | null | undefined,
    fn: Factory<T>,
  ): Promise<R> {
    const factory = callable('wrap', 'fn', fn, () => `wrap(${describe(key)}, ttl, fn)`);
    return this.compute('wrap', { key, ttl, factory });
  }

  /**
   * Serves a value as fresh for `stale`, then, until `max`, serves it while a new one is made behind.
   * @param stale milliseconds or text, from when the value was made; likewise `max`, which is not shorter
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

  /** Whether there is a fresh value. A set after it is not guarded by it: that is what `get` is for. */
  async has(given: string | { key: string }): Promise<boolean> {
    const full = this.full('has', keyOf('has', given));
    return this.core.attempt(
      'has',
      false,
      async () => this.core.store.localCache?.has(full) || this.core.store.has(full),
    );
  }

  /** The opposite of `has`; true in an outage. */
  async missing(given: string | { key: string }): Promise<boolean> {
    return !(await this.has(given));
  }

  /** Gets and deletes: of many that ask at once, in any process, one gets the value. */
  async pull<T = unknown>(given: string | { key: string }): Promise<T | undefined> {
    const full = this.full('pull', keyOf('pull', given));
    return pull(this.core, full) as Promise<T | undefined>;
  }

  /** Makes the value stale: from now on it is served only within its grace. Without grace it is deleted. */
  async expire(given: string | { key: string }): Promise<boolean> {
    return expire(this.core, this.full('expire', keyOf('expire', given)));
  }

  /** @returns whether a value was there; in an outage false, and the deletion is replayed after it */
  async delete(given: string | { key: string }): Promise<boolean> {
    return remove(this.core, 'delete', [this.full('delete', keyOf('delete', given))]);
  }

  /** @returns whether any value was there */
  async deleteMany(given: readonly string[] | DeleteManyOptions): Promise<boolean> {
    const keys = keysOf('deleteMany', given).map((one) => this.full('deleteMany', one));
    return keys.length > 0 && remove(this.core, 'deleteMany', keys);
  }

  /** Removes every value that carries one of the tags, in whatever namespace. @returns false in an outage: it is replayed */
  async deleteByTag(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'deleteByTag', tagsToClear('deleteByTag', given), false);
  }

  /** The same as `deleteByTag`. */
  async deleteByTags(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'deleteByTags', tagsToClear('deleteByTags', given), false);
  }

  /** Makes every value that carries one of the tags stale; those without grace are gone. */
  async expireByTag(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'expireByTag', tagsToClear('expireByTag', given), true);
  }

  /** The same as `expireByTag`. */
  async expireByTags(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'expireByTags', tagsToClear('expireByTags', given), true);
  }

  /** Removes everything of this namespace and of those under it; at the root, everything of the prefix. */
  async clear(...given: undefined[]): Promise<boolean> {
    // Other caches' clear takes tags or a prefix: without a word of warning everything would be gone.
    if (given.some((one) => one !== undefined)) {
      throw refused(
        'clear',
        'options',
        'none',
        describe(given[0]),
        'Use deleteByTag({ tags }) or namespace(name).clear()',
      );
    }
    return clearNamespace(this.core, this.namespacePath);
  }

  /** A handle on a part of this cache: its keys are `name:` and what follows. @throws ConfigError on more than 8 levels */
  namespace(name: string): Cache<Allowed> {
    return Cache.over(this.core, joinNamespace(CALLER, this.namespacePath, name));
  }

  /** Counters of all namespaces together since the cache was made. */
  stats(): CacheStats {
    return this.core.telemetry.stats(this.core.store.stats());
  }

  /** @returns takes the listener back */
  on<Name extends CacheEventName>(event: Name, listener: (detail: CacheEvents[Name]) => void): () => void {
    checkEvent(event);
    return this.core.telemetry.on(event, callable('on', 'listener', listener));
  }

  /**
   * Asks the server for a key that cannot exist, past everything that is kept in this process. For health checks.
   * @throws CachalotError (rejects) whatever `errors` says, by its `code`: CACHALOT_CONNECTION, CACHALOT_TIMEOUT, ...
   */
  ping(): Promise<void> {
    return ping(this.core);
  }

  /**
   * Resolves once the server has answered, which may be at once. For the start of a process, or of a test.
   * @throws CachalotError (rejects) after `timeout`, with what the last attempt failed with; at once after `close()`, or if
   * the server is none that can be used
   */
  async ready(given: ReadyOptions = {}): Promise<void> {
    const { timeout = READY } = options<ReadyOptions>('ready', given, READY_NAMES);
    await ready(this.core, positional('ready', 'timeout', timeout));
  }

  /**
   * Waits for running factories (5 s at most) and operations, then lets go of connections. Later calls reject. Of a
   * namespace it does nothing: the cache that it is a part of is open for others.
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

  private full(method: string, name: string): string {
    return fullKey(method, this.namespacePath, name);
  }

  private async store(method: string, given: SetOptions<unknown>): Promise<boolean> {
    const ready = prepared(this.core, this.namespacePath, method, given);
    this.core.open();
    return write(this.core, method, ready);
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
