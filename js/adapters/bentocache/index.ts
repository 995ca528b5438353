/** A Bentocache layer on Redis or Valkey, memcached or process memory: `bentostore().useL2Layer(cachalotDriver({ store }))`. */
import { type CachalotBusOptions, createBus } from './bus.js';
import { type CachalotDriverOptions, createDriver } from './create.js';
import type { CreateBusDriverResult, CreateDriverResult, L2CacheDriver } from './types.js';

export type { CachalotBusOptions } from './bus.js';
export type { CachalotDriverOptions } from './create.js';
export { CachalotDriver } from './driver.js';
export type {
  BusTransport,
  CreateBusDriverResult,
  CreateDriverResult,
  L2CacheDriver,
  RetryQueueOptions,
} from './types.js';

/**
 * For `useL2Layer`. The store opens when Bentocache first uses it; all that it makes of one result shares one connection.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const layer = cachalotDriver({ store: redis({ url: 'redis://127.0.0.1:6379' }) });
 */
export function cachalotDriver(options: CachalotDriverOptions): CreateDriverResult<L2CacheDriver> {
  return createDriver('cachalotDriver()', options);
}

/**
 * For `useBus`: keeps the memory layers (`useL1Layer`) of an application's processes in step, over one connection to Redis
 * or Valkey.
 * @throws ConfigError that names the option, what was expected and what came
 * @throws UnsupportedError on another store than `redis({ url })`, or one with `tracking: false`
 * @example
 * const bus = cachalotBusDriver({ store: redis({ url: 'redis://127.0.0.1:6379' }) });
 */
export function cachalotBusDriver(options: CachalotBusOptions): CreateBusDriverResult {
  return createBus('cachalotBusDriver()', options);
}
