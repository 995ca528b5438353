import { logger, parsed, redisUrl, TTL } from './connection.mjs';

const plain = (name, options) => ({
  name,
  server: 'redis',
  package: 'ioredis',
  against: ['cachalot redis'],
  async open(ports) {
    const { default: Redis } = await import('ioredis');
    const client = new Redis(redisUrl(ports), options);
    client.on('error', (error) => logger.error(error.message));
    await client.ping();
    return {
      get: async (key) => parsed(await client.get(key)),
      getMany: async (keys) => (await client.mget(keys)).map(parsed),
      set: (key, value) => client.set(key, JSON.stringify(value), 'EX', TTL),
      close: () => client.quit(),
    };
  },
});

export const peers = [plain('ioredis', {}), plain('ioredis auto-pipelining', { enableAutoPipelining: true })];
