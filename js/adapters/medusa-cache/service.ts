/** What the services of all stores do: Medusa's older cache contract (`ICacheService`) over one store. */

import { clearMatching } from '../../cache/clear-matching.js';
import { tagsOf } from '../../cache/namespaces.js';
import { patternOf } from '../../cache/patterns.js';
import { lifetime, requiredKey, serialized } from '../../shared/arguments.js';
import { CachalotError, TooLargeError } from '../../shared/errors.js';
import { handleError } from '../../shared/handle-error.js';
import { loggerOf } from '../../shared/injected-logger.js';
import { Logger } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import { tellRefused, tellTooLarge } from '../../shared/rejected-set.js';
import type { NativeStore, Stats } from '../../store/native-store.js';
import { openStore } from '../../store/open.js';
import type { Settings } from './options.js';

/** What Medusa asks of its Cache Module (`ICacheService`), written out so that nothing of Medusa's is imported. */
export interface MedusaCacheService {
  get<T>(key: string): Promise<T | null>;
  set(key: string, data: unknown, ttl?: number): Promise<void>;
  invalidate(key: string): Promise<void>;
}

export abstract class CacheModuleService implements MedusaCacheService {
  // Not #private: Medusa may hand a service out behind a Proxy, through which #fields cannot be reached.
  private readonly store: NativeStore;
  private readonly kind: Settings['store']['kind'];
  private readonly log: OutageLog;
  private readonly caller: string;
  private readonly prefix: string;
  private readonly ttl: number;

  /** Medusa calls it when the application ends, and after loaders that ran alone. */
  readonly __hooks: { onApplicationShutdown(): Promise<void> };

  /** Connects in the background. */
  protected constructor(settings: Settings, dependencies: unknown) {
    this.caller = settings.caller;
    this.kind = settings.store.kind;
    this.ttl = settings.ttl;
    this.prefix = settings.store.native.prefix;
    const log = new Logger(loggerOf(dependencies), settings.caller);
    log.ignored(settings.store);
    this.log = new OutageLog(log);
    this.store = openStore(settings.store, (event) => this.log.event(event));
    this.__hooks = { onApplicationShutdown: () => this.close() };
  }

  /**
   * The value, or `null`; also in an outage.
   * @throws ConfigError (rejects) on an empty key or one that is no string
   * @throws ClosedError (rejects) after `close()`
   */
  async get<T>(key: string): Promise<T | null> {
    const checked = requiredKey(this.caller, key);
    try {
      return ((await this.store.get(checked)) ?? null) as T | null;
    } catch (error) {
      handleError(this.log, 'get', error);
      return null;
    }
  }

  /**
   * A value over `maxValueBytes` or the server's limit is not stored; no older value is left, and the log says so once.
   * @param data anything that JSON can hold
   * @param ttl seconds; 0 stores nothing and leaves no older value. @default the option `ttl`
   * @throws ConfigError (rejects) on an empty key, data that JSON cannot hold, a ttl that is no finite number of 0 or more
   * @throws ConnectionError, TimeoutError (reject) in an outage
   * @throws ClosedError (rejects) after `close()`
   */
  async set(key: string, data: unknown, ttl?: number): Promise<void> {
    const checked = requiredKey(this.caller, key);
    const ms = lifetime(this.caller, ttl, this.ttl);
    let text: string;
    try {
      text = serialized(this.caller, data);
    } catch (error) {
      if (error instanceof TooLargeError) {
        await this.store.clear({ key: checked });
      }
      return tellTooLarge(this.log, this.prefix, checked, error);
    }
    try {
      if (!(await this.store.set(checked, text, ms, tagsOf(checked), true))) {
        tellRefused(this.log, this.prefix, checked);
      }
    } catch (error) {
      tellTooLarge(this.log, this.prefix, checked, error);
    }
  }

  /**
   * Removes a key, or every key that a pattern fits: `*` in it stands for any characters, all others for themselves.
   * `*` alone and patterns such as `ps:*` take one step, however many entries there are, and are as safe as a key
   * against data that was read before them and is stored after. Any other pattern lists the keys; memcached cannot.
   * @throws ConfigError (rejects) on an empty key or one that is no string
   * @throws UnsupportedError (rejects) on a pattern that memcached cannot serve; it says which it can
   * @throws ConnectionError, TimeoutError (reject) in an outage; a removal whose error has `queued: true` is made up for
   * before the first read after it
   * @throws ClosedError (rejects) after `close()`
   */
  async invalidate(key: string): Promise<void> {
    const pattern = patternOf(requiredKey(this.caller, key));
    try {
      if (pattern.means === 'key') {
        await this.store.clear({ key: pattern.key });
      } else {
        await clearMatching(this.caller, this.store, this.kind, pattern);
      }
    } catch (error) {
      if (error instanceof CachalotError && error.queued) {
        this.log.queued(error);
      }
      throw error;
    }
  }

  /** Removes every key of the namespace, and nothing beside it. */
  async clear(): Promise<void> {
    await this.invalidate('*');
  }

  /** Counters since the service was made. */
  stats(): Stats {
    return this.store.stats();
  }

  /** Finishes what is under way, then lets go of connections. Every later call rejects with `CACHALOT_CLOSED`. */
  close(): Promise<void> {
    return this.store.close();
  }
}
