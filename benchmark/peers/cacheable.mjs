// Keyv over Redis, and Cacheable, which puts a memory store of its own before it.

import { logger, redisUrl, TTL } from './connection.mjs';

export const peers = [
  {
    name: 'keyv redis',
    server: 'redis',
    package: 'keyv',
    with: ['@keyv/redis'],
    against: ['cachalot Cache redis'],
    async open(ports) {
      const { default: KeyvRedis } = await import('@keyv/redis');
      const { Keyv } = await import('keyv');
      const keyv = new Keyv({ store: new KeyvRedis(redisUrl(ports)), namespace: 'keyv' });
      keyv.on('error', (error) => logger.error(error.message));
      return {
        get: (key) => keyv.get(key),
        getMany: (keys) => keyv.get(keys),
        set: (key, value) => keyv.set(key, value, TTL * 1_000),
        close: () => keyv.disconnect(),
      };
    },
  },
  {
    name: 'cacheable memory + redis',
    server: 'process',
    package: 'cacheable',
    with: ['@keyv/redis'],
    against: ['cachalot Cache redis + l1', 'cachalot Cache memory'],
    async open(ports) {
      const { createKeyv } = await import('@keyv/redis');
      const { Cacheable } = await import('cacheable');
      const cacheable = new Cacheable({ secondary: createKeyv(redisUrl(ports)), namespace: 'cacheable' });
      cacheable.on('error', (error) => logger.error(error.message ?? error));
      return {
        get: (key) => cacheable.get(key),
        getMany: (keys) => cacheable.getMany(keys),
        set: (key, value) => cacheable.set(key, value, TTL * 1_000),
        close: () => cacheable.disconnect(),
      };
    },
  },
];
