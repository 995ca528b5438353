// config/cache.ts of an AdonisJS application, after `node ace add @adonisjs/cache` and `npm install cachalot`.

import { defineConfig, drivers, store } from '@adonisjs/cache';
import { memcached, redis } from 'cachalot';
import { cachalot, cachalotBus } from 'cachalot/adonis';
import env from '#start/env';

const shared = redis({ url: env.get('CACHE_REDIS_URL'), prefix: 'shop' });

const cacheConfig = defineConfig({
  default: 'default',

  stores: {
    memoryOnly: store().useL1Layer(drivers.memory()),

    default: store()
      .useL1Layer(drivers.memory())
      .useL2Layer(cachalot({ store: shared }))
      // Keeps the memory of the application's processes in step.
      .useBus(cachalotBus({ store: shared })),

    // What is too large or too many for each process's own memory, on Memcached.
    pages: store({ prefix: 'pages' }).useL2Layer(
      cachalot({ store: memcached({ servers: [env.get('CACHE_MEMCACHED')], prefix: 'shop' }) }),
    ),
  },
});

export default cacheConfig;

declare module '@adonisjs/cache/types' {
  interface CacheStores extends InferStores<typeof cacheConfig> {}
}
