import { defineConfig, drivers, store } from '@adonisjs/cache';
import { memcached, memory, redis } from 'cachalot';
import { cachalot, cachalotBus } from 'cachalot/adonis';

const { CACHE_REDIS, CACHE_MEMCACHED } = process.env;

/** What the processes share; in process memory nothing is shared. */
const shared = CACHE_REDIS
  ? redis({ url: CACHE_REDIS, prefix: 'shop' })
  : CACHE_MEMCACHED
    ? memcached({ servers: [CACHE_MEMCACHED], prefix: 'shop' })
    : memory({ prefix: 'shop', name: 'shop' });

const layered = store({ prefix: 'layered' })
  .useL1Layer(drivers.memory({ maxItems: 1000 }))
  .useL2Layer(cachalot({ store: shared }));

const cacheConfig = defineConfig({
  default: 'main',
  stores: {
    main: store().useL2Layer(cachalot({ store: shared })),
    // A bus needs Redis; without it each process has what it remembers until its ttl.
    layered: CACHE_REDIS ? layered.useBus(cachalotBus({ store: shared })) : layered,
    other: store({ prefix: 'other' }).useL2Layer(cachalot({ store: shared })),
  },
});

export default cacheConfig;

declare module '@adonisjs/cache/types' {
  interface CacheStores extends InferStores<typeof cacheConfig> {}
}
