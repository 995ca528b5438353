// Wrong use of the face in a configuration fails to compile. A mark on a line that compiles is an error too.

import { store } from '@adonisjs/cache';
import type { CreateBusDriverResult, CreateDriverResult, L2CacheDriver } from '@adonisjs/cache/types';
import type { ConfigProvider } from '@adonisjs/core/types';
import { memory, redis } from 'cachalot';
import { cachalot, cachalotBus } from 'cachalot/adonis';

export const provider: ConfigProvider<CreateDriverResult<L2CacheDriver>> = cachalot({ store: memory() });
export const bus: ConfigProvider<CreateBusDriverResult> = cachalotBus({
  store: redis({ url: 'redis://127.0.0.1:6379' }),
  retryQueue: { enabled: true, maxSize: 100 },
});
export const layered = store({ ttl: '5m' })
  .useL2Layer(cachalot({ store: memory(), prefix: 'shop' }))
  .useBus(bus);

// @ts-expect-error a store is needed
cachalot({});
// @ts-expect-error an option of AdonisJS's own driver
cachalot({ connectionName: 'main' });
// @ts-expect-error it is no layer of one process
store().useL1Layer(cachalot({ store: memory() }));
// @ts-expect-error an option of AdonisJS's own bus
cachalotBus({ connectionName: 'main' });
// @ts-expect-error a bus is no layer
store().useL2Layer(cachalotBus({ store: memory() }));
