/** Glasswork's `CacheStore` over Redis, memcached or process memory. */

import { clearMatching } from '../../cache/clear-matching.js';
import { Core } from '../../cache/core.js';
import { tagsOf } from '../../cache/namespaces.js';
import { settingsOf } from '../../cache/options.js';
import { patternOf } from '../../cache/patterns.js';
import { object } from '../../options/check.js';
import type { StoreSpec } from '../../options/native-config.js';
import { prefix } from '../../options/store.js';
import type { CacheLogger } from '../../shared/logger.js';
import { consoleLogger, loggerOption } from '../../shared/logger.js';
import type { Stats } from '../../store/native-store.js';
import { described } from '../../store/open.js';
import { CALLER, keyOf, patternFrom, ttlMs } from './arguments.js';
import type { CacheStore } from './types.js';

/** A symbol that copies of this package share: a store of its CommonJS build is known by the service of its ES build. */
const OWN = Symbol.for('cachalot.glasswork.store');

export interface CachalotStoreOptions {
  /** `redis({ url })`, `memcached({ servers })` or `memory()` of `cachalot`. */
  store: StoreSpec;
  /** What every key in the store starts with. @default the store's: 'cachalot' */
  prefix?: string | undefined;
  /** Gets a line when an outage begins and one when it ends. @default console */
  logger?: CacheLogger | undefined;
}

const checkOptions = object<CachalotStoreOptions>({
  store: (value) => described(CALLER, value),
  prefix,
  logger: loggerOption,
});

/**
 * A store for Glasswork's `CacheService`, or to be called directly: then every method rejects in an outage, with
 * `CACHALOT_CONNECTION` or `CACHALOT_TIMEOUT`, and after `close()` with `CACHALOT_CLOSED`.
 */
export class CachalotStore implements CacheStore {
  /** For logs. */
  readonly name: string;
  // Not #private: a container may hand the store out behind a Proxy, through which #fields cannot be reached.
  private readonly core: Core;

  /**
   * Connects in the background.
   * @throws CachalotError that names the option, what was expected and what came
   */
  constructor(options: CachalotStoreOptions) {
    const given = checkOptions(options, { caller: CALLER, path: '' });
    const store = described(CALLER, given.store, given.prefix);
    this.name = `cachalot-${store.kind}`;
    this.core = new Core(settingsOf({ store, logger: given.logger ?? consoleLogger }));
  }

  /** @internal */
  get [OWN](): { core: Core; methods: CacheStore } {
    return { core: this.core, methods: CachalotStore.prototype };
  }

  async get<T>(key: string): Promise<T | undefined> {
    return (await this.core.store.get(keyOf(key))) as T | undefined;
  }

  /**
   * @param value anything that JSON can hold
   * @param ttl seconds above 0
   * @throws ConfigError (rejects) on an empty key, a value that JSON cannot hold, a ttl that is not above 0
   * @throws TooLargeError (rejects) on a value over the store's limit; no older value is left
   */
  async set<T>(key: string, value: T, ttl: number): Promise<void> {
    const [checked, ms] = [keyOf(key), ttlMs('ttl', ttl)];
    await write(this.core, checked, this.core.encode(checked, value), ms);
  }

  async del(key: string): Promise<void> {
    this.core.clears++;
    await this.core.store.clear({ key: keyOf(key) });
  }

  /**
   * Deletes the keys that a pattern fits: `*` stands for any characters, also for none; every other character for
   * itself. `*` and patterns such as `user:*` take one step, however many entries there are, and are as safe as a key
   * against data that was read before them and is stored after. Any other pattern lists the keys; memcached cannot.
   * @returns how many keys there were, or `undefined` for a pattern of one step: nobody counted
   * @throws UnsupportedError (rejects) on a pattern that memcached cannot serve; it says which it can
   */
  async delByPattern(pattern: string): Promise<number | undefined> {
    return clearPattern(this.core, patternFrom(pattern), '');
  }

  async has(key: string): Promise<boolean> {
    return this.core.store.has(keyOf(key));
  }

  /** Deletes every key of the prefix, and nothing beside it. */
  async clear(): Promise<void> {
    this.core.clears++;
    await this.core.store.clear({ tags: ['*'] });
  }

  /** Counters since the store was made. */
  stats(): Stats {
    return this.core.store.stats();
  }

  /** Waits for what is under way, then lets go of connections. */
  close(): Promise<void> {
    return this.core.close();
  }
}

/** The engine of a store of ours; of one whose methods were replaced it is not, since that would go past them. */
export function coreOf(store: unknown): Core | undefined {
  const own = (store as { [OWN]?: { core: Core; methods: CacheStore } } | null | undefined)?.[OWN];
  const given = store as CacheStore;
  return own !== undefined &&
    given.get === own.methods.get &&
    given.set === own.methods.set &&
    given.del === own.methods.del &&
    given.has === own.methods.has &&
    given.delByPattern === own.methods.delByPattern
    ? own.core
    : undefined;
}

/** With the time of it, which `getWithMetadata` and `wrapSWR` go by. @param ttl milliseconds */
export function write(core: Core, key: string, text: string | Uint8Array, ttl: number): Promise<boolean> {
  core.singleFlight.discardResult(key);
  const now = Date.now();
  const times = { created: now, freshUntil: now + ttl, cost: 0 };
  return core.store.set(key, text, ttl, tagsOf(key), true, { times });
}

export function clearPattern(core: Core, pattern: string, before: string): Promise<number | undefined> {
  core.clears++;
  return core.during(() =>
    clearMatching(CALLER, core.store, core.settings.store.kind, patternOf(pattern, before)),
  );
}
