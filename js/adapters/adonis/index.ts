/** AdonisJS: `store().useL2Layer(cachalot({ store: redis({ url }) }))` in `config/cache.ts`, for `@adonisjs/cache`. */
import { type CachalotBusOptions, createBus } from '../bentocache/bus.js';
import { type CachalotDriverOptions, createDriver } from '../bentocache/create.js';
import type { CreateBusDriverResult, CreateDriverResult, L2CacheDriver } from '../bentocache/types.js';

export type { CachalotBusOptions } from '../bentocache/bus.js';
export type { CachalotDriverOptions as CachalotOptions } from '../bentocache/create.js';
export type { CreateBusDriverResult, CreateDriverResult, L2CacheDriver } from '../bentocache/types.js';

/** Something that AdonisJS resolves when it builds the cache (its `ConfigProvider`, written out). */
export interface ConfigProvider<T> {
  /** Tells AdonisJS what it is. */
  type: 'provider';
  /** Makes it, when the application builds the cache. */
  // biome-ignore lint/suspicious/noExplicitAny: the application, of which nothing is needed here.
  resolver: (app: any) => Promise<T>;
}

/**
 * The layer that the application's processes share. Options are checked when the configuration is loaded; the store opens
 * when the cache is first used.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const layer = cachalot({ store: redis({ url: 'redis://127.0.0.1:6379' }) });
 */
export function cachalot(options: CachalotDriverOptions): ConfigProvider<CreateDriverResult<L2CacheDriver>> {
  const driver = createDriver('cachalot()', options);
  return { type: 'provider', resolver: async () => driver };
}

/**
 * Keeps the memory layers of the application's processes in step, over one connection to Redis or Valkey:
 * `store().useL1Layer(…).useL2Layer(…).useBus(cachalotBus({ store: redis({ url }) }))`.
 * @throws ConfigError that names the option, what was expected and what came
 * @throws UnsupportedError on another store than `redis({ url })`, or one with `tracking: false`
 * @example
 * const bus = cachalotBus({ store: redis({ url: 'redis://127.0.0.1:6379' }) });
 */
export function cachalotBus(options: CachalotBusOptions): ConfigProvider<CreateBusDriverResult> {
  const bus = createBus('cachalotBus()', options);
  return { type: 'provider', resolver: async () => bus };
}
