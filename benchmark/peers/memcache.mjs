// Its package asks for Node.js 22.19; it runs on 20 as well, where most of the figures here are from.

import { logger, memcachedAddress, parsed, TTL } from './connection.mjs';

export const peers = [
  {
    name: 'memcache',
    server: 'memcached',
    package: 'memcache',
    async open(ports) {
      const { Memcache } = await import('memcache');
      const client = new Memcache(memcachedAddress(ports));
      client.on('error', (...said) => logger.error(...said));
      await client.connect();
      return {
        get: async (key) => parsed(await client.get(key)),
        set: (key, value) => client.set(key, JSON.stringify(value), TTL),
        close: () => client.disconnect(),
      };
    },
  },
];
