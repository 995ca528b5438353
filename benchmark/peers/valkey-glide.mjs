import { parsed, TTL } from './connection.mjs';

export const peers = [
  {
    name: 'valkey-glide',
    server: 'redis',
    package: '@valkey/valkey-glide',
    against: ['cachalot redis'],
    async open({ redisPort }) {
      const { GlideClient, TimeUnit } = await import('@valkey/valkey-glide');
      const client = await GlideClient.createClient({
        addresses: [{ host: '127.0.0.1', port: redisPort }],
        // Its default of 1,000 in flight is above what any cell asks for; the deadline is its users' usual one.
        requestTimeout: 5_000,
      });
      const expiry = { type: TimeUnit.Seconds, count: TTL };
      return {
        get: async (key) => parsed(await client.get(key)),
        getMany: async (keys) => (await client.mget(keys)).map(parsed),
        set: (key, value) => client.set(key, JSON.stringify(value), { expiry }),
        close: async () => client.close(),
      };
    },
  },
];
