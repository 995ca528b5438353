import { logger, memcachedAddress, parsed, TTL } from './connection.mjs';

export const peers = [
  {
    name: 'memjs',
    server: 'memcached',
    package: 'memjs',
    async open(ports) {
      const { default: memjs } = await import('memjs');
      const client = memjs.Client.create(memcachedAddress(ports), {
        logger: { log: (said) => logger.warn(said) },
      });
      return {
        get: async (key) => parsed((await client.get(key)).value?.toString('utf8')),
        set: (key, value) => client.set(key, JSON.stringify(value), { expires: TTL }),
        close: async () => client.close(),
      };
    },
  },
];
