// What an application with Bentocache compiles against: the driver's result is what Bentocache takes. A mark on a line that
// compiles is an error too.

import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import type { CreateBusDriverResult, CreateDriverResult, L2CacheDriver } from 'bentocache/types';
import { memcached, memory, redis } from 'cachalot';
import { cachalotBusDriver, cachalotDriver } from 'cachalot/bentocache';

export const result: CreateDriverResult<L2CacheDriver> = cachalotDriver({ store: memory() });
export const bus: CreateBusDriverResult = cachalotBusDriver({
  store: redis({ url: 'redis://127.0.0.1:6379' }),
  retryQueue: { enabled: true, maxSize: 100, retryInterval: '2s' },
});

export const bento = new BentoCache({
  default: 'two',
  stores: {
    one: bentostore().useL2Layer(cachalotDriver({ store: memcached() })),
    two: bentostore()
      .useL1Layer(memoryDriver({ maxSize: '10mb' }))
      .useL2Layer(cachalotDriver({ store: redis({ url: 'redis://127.0.0.1:6379' }), prefix: 'shop' }))
      .useBus(cachalotBusDriver({ store: redis({ url: 'redis://127.0.0.1:6379' }) })),
  },
});

// @ts-expect-error a store is needed
cachalotDriver({ prefix: 'shop' });
// @ts-expect-error an unknown option
cachalotDriver({ store: memory(), connection: {} });
// @ts-expect-error it is a distributed layer
bentostore().useL1Layer(cachalotDriver({ store: memory() }));
// @ts-expect-error a bus is no layer
bentostore().useL2Layer(cachalotBusDriver({ store: memory() }));
// @ts-expect-error a duration of another kind
cachalotBusDriver({ store: memory(), retryQueue: { retryInterval: true } });
