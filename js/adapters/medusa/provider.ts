/** What the providers of all backends do: Medusa's contract over one store. */

import { lifetime, optionalKey, requiredKey, serialized } from '../../shared/arguments.js';
import { CachalotError, TooLargeError } from '../../shared/errors.js';
import { handleError } from '../../shared/handle-error.js';
import { loggerOf } from '../../shared/injected-logger.js';
import { Logger } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import { tellRefused, tellTooLarge } from '../../shared/rejected-set.js';
import type { NativeStore, Stats } from '../../store/native-store.js';
import { openStore } from '../../store/open.js';
import { NO_TAGS, tagList } from '../../store/tags.js';
import type { Face } from './options.js';
import { settingsFor } from './registration.js';
import type {
  ClearRequest,
  GetRequest,
  InvalidationOptions,
  MedusaCachingProvider,
  SetRequest,
} from './types.js';

export abstract class CachingProvider implements MedusaCachingProvider {
  // Not #private: a service may be handed out behind a Proxy, through which #fields cannot be reached.
  private readonly store: NativeStore;
  private readonly log: OutageLog;
  private readonly ttl: number;
  private readonly caller: string;
  private readonly prefix: string;
  private closing: Promise<void> | undefined;

  /**
   * Connects in the background.
   * @throws CachalotError if an option is unknown or ill-typed
   */
  protected constructor(caller: Face, dependencies: unknown, options: unknown) {
    const settings = settingsFor(caller, dependencies, options);
    this.caller = caller.identifier;
    this.ttl = settings.ttl;
    this.prefix = settings.store.native.prefix;
    this.log = new OutageLog(new Logger(loggerOf(dependencies), caller.identifier));
    this.store = openStore(settings.store, (event) => this.log.event(event));
  }

  /**
   * By `key`: its value, or `null`. By `tags`: the live values that carry any of them, `[]` if there are none.
   * With both the key alone counts, with neither it is `null`, and in an outage it is `null`.
   * @throws ConfigError (rejects) on a key or tag that is no string
   * @throws ClosedError (rejects) after `close()`
   */
  // biome-ignore lint/suspicious/noExplicitAny: Medusa's contract says any, and callers rely on it.
  async get(request: GetRequest): Promise<any> {
    // Before the key is checked: what is kept was asked for before.
    const localHit = this.store.localCache?.value(request?.key as string);
    if (localHit !== undefined) {
      return localHit;
    }
    const key = optionalKey(this.caller, request?.key);
    const tags = key === undefined ? tagList(this.caller, request?.tags) : NO_TAGS;
    try {
      if (key !== undefined) {
        const value = await this.store.get(key);
        return value === undefined ? null : value;
      }
      return tags.size === 0 ? null : await this.store.getByTags(tags);
    } catch (error) {
      handleError(this.log, 'get', error);
      return null;
    }
  }

  /**
   * Stores a value and replaces value, tags and options of the key together. Data read by a `get` before a clear of the
   * key or of one of the tags is not stored after it: `stats().rejectedWrites` counts that, and the channel `cachalot:set` of
   * node:diagnostics_channel tells of it. In an outage nothing is stored, nor is a value over `maxValueBytes` or the server's
   * limit; then no older value is left, and the log says so once. It resolves all the same.
   * @throws ConfigError (rejects) on `undefined` or anything else that JSON cannot hold, an empty key or one that is no
   * string, a ttl that is no finite number of 0 or more; nothing is stored
   * @throws ClosedError (rejects) after `close()`
   */
  set(request: SetRequest): Promise<void> {
    return forAnyCaller(this.storeValue(request));
  }

  private async storeValue(request: SetRequest): Promise<void> {
    const key = requiredKey(this.caller, request?.key);
    const ttl = lifetime(this.caller, request.ttl, this.ttl);
    const tags = tagList(this.caller, request.tags);
    const auto = request.options?.autoInvalidate !== false;
    let data: string;
    try {
      data = serialized(this.caller, request.data);
    } catch (error) {
      if (error instanceof TooLargeError) {
        await this.clearEntries({ key });
      }
      return tellTooLarge(this.log, this.prefix, key, error);
    }
    try {
      if (!(await this.store.set(key, data, ttl, tags, auto))) {
        tellRefused(this.log, this.prefix, key);
      }
    } catch (error) {
      if (error instanceof TooLargeError) {
        return tellTooLarge(this.log, this.prefix, key, error);
      }
      handleError(this.log, 'set', error);
    }
  }

  /**
   * Clears the key, whatever the options, and the entries that carry any of the tags: all of them without options,
   * with `{ autoInvalidate: true }` those not stored with `autoInvalidate: false`, with any other options none. The tag
   * `*` clears every entry. In an outage the clear is kept, replayed before the first read after it, and resolves.
   * @throws ConfigError (rejects) on a key or tag that is no string
   * @throws ServerError (rejects) if the server refused it: the entries may still be there
   * @throws ClosedError (rejects) after `close()`
   */
  clear(request: ClearRequest): Promise<void> {
    return forAnyCaller(this.clearEntries(request));
  }

  private async clearEntries(request: ClearRequest): Promise<void> {
    const key = optionalKey(this.caller, request?.key);
    const raise = raised(request?.options);
    const given = tagList(this.caller, request?.tags);
    const tags = raise === undefined ? NO_TAGS : given;
    if (key === undefined && tags.size === 0) {
      return;
    }
    try {
      await this.store.clear({ ...(key === undefined ? {} : { key }), tags, raise: raise ?? 'all' });
    } catch (error) {
      if (error instanceof CachalotError && error.queued) {
        this.log.queued(error);
      } else {
        throw error;
      }
    }
  }

  /** Counters since the provider was made. */
  stats(): Stats {
    return this.store.stats();
  }

  /** Finishes what is under way, then lets go of connections. Every later call rejects with `CACHALOT_CLOSED`. */
  close(): Promise<void> {
    this.closing ??= this.store.close();
    return this.closing;
  }
}

/**
 * Returns the promise as it is. The Caching Module up to 2.19 does not await what it sets and clears: a rejection that nobody
 * hears of would end the process, so one is always heard here. Whoever awaits it is given it all the same.
 */
function forAnyCaller(done: Promise<void>): Promise<void> {
  done.catch(() => undefined);
  return done;
}

/** What a clear by tags raises; `undefined` = these options clear nothing by tags. */
function raised(options: InvalidationOptions | null | undefined): 'all' | 'auto' | undefined {
  if (options === undefined || options === null) {
    return 'all';
  }
  return options.autoInvalidate === true ? 'auto' : undefined;
}
