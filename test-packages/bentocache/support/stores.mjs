// The stores that everything here runs over, each description under a prefix of its own.

import { randomUUID } from 'node:crypto';
import { memcached, memory, redis } from 'cachalot';

const own = () => `t${randomUUID().slice(0, 13)}`;

/** @type {Record<string, (options?: object) => import('cachalot').StoreSpec>} */
export const STORES = {
  // One name, so that two drivers of a test are two handles on one store, as two clients of a server are.
  memory: (options) => memory({ name: 'shared', prefix: own(), ...options }),
  redis: (options) => redis({ url: process.env.CACHE_REDIS, prefix: own(), ...options }),
  memcached: (options) => memcached({ servers: [process.env.CACHE_MEMCACHED], prefix: own(), ...options }),
};
