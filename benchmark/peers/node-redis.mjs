import { logger, parsed, redisUrl, TTL } from './connection.mjs';

export const peers = [
  {
    name: 'node-redis',
    server: 'redis',
    package: 'redis',
    against: ['cachalot redis'],
    async open(ports) {
      const { createClient } = await import('redis');
      const client = createClient({ url: redisUrl(ports) });
      client.on('error', (error) => logger.error(error.message));
      await client.connect();
      return {
        get: async (key) => parsed(await client.get(key)),
        getMany: async (keys) => (await client.mGet(keys)).map(parsed),
        set: (key, value) =>
          client.set(key, JSON.stringify(value), { expiration: { type: 'EX', value: TTL } }),
        close: () => client.close(),
      };
    },
  },
];
