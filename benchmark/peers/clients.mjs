// Plain clients, which store JSON: the cheapest thing that can be done with them. And the floor of a hit in process.

import { logger, memcachedAddress, redisUrl, TTL } from './connection.mjs';

/** The text of a reply, or `null` for a miss, as the value that a cache would give. */
const parsed = (text) => (text === null || text === undefined ? null : JSON.parse(text));

/** @param open gives the client, and its `get`, `set`, `getMany` and `close` of texts */
const plain = (peer, open) => ({
  package: peer.name,
  ...(peer.server === 'redis' && { against: ['cachalot redis'] }),
  ...peer,
  async open(ports) {
    const { client, get, set, getMany, close } = await open(ports);
    client?.on?.('error', (...said) => logger.error(...said.map((one) => one.message ?? one)));
    return {
      get: async (key) => parsed(await get(key)),
      set: (key, value) => set(key, JSON.stringify(value)),
      ...(getMany && { getMany: async (keys) => (await getMany(keys)).map(parsed) }),
      close: async () => close(),
    };
  },
});

const ioredis = (name, options) =>
  plain({ name, server: 'redis', package: 'ioredis' }, async (ports) => {
    const { default: Redis } = await import('ioredis');
    const client = new Redis(redisUrl(ports), options);
    await client.ping();
    return {
      client,
      get: (key) => client.get(key),
      getMany: (keys) => client.mget(keys),
      set: (key, text) => client.set(key, text, 'EX', TTL),
      close: () => client.quit(),
    };
  });

export const redisClients = [
  ioredis('ioredis', {}),
  ioredis('ioredis auto-pipelining', { enableAutoPipelining: true }),
  plain({ name: 'node-redis', server: 'redis', package: 'redis' }, async (ports) => {
    const { createClient } = await import('redis');
    const client = await createClient({ url: redisUrl(ports) }).connect();
    const expiration = { type: 'EX', value: TTL };
    return {
      client,
      get: (key) => client.get(key),
      getMany: (keys) => client.mGet(keys),
      set: (key, text) => client.set(key, text, { expiration }),
      close: () => client.close(),
    };
  }),
  plain(
    { name: 'valkey-glide', server: 'redis', package: '@valkey/valkey-glide' },
    async ({ redisPort: port }) => {
      const { GlideClient, TimeUnit } = await import('@valkey/valkey-glide');
      const client = await GlideClient.createClient({
        addresses: [{ host: '127.0.0.1', port }],
        // Its default of 1,000 in flight is above what any cell asks for; the deadline is its users' usual one.
        requestTimeout: 5_000,
      });
      const expiry = { type: TimeUnit.Seconds, count: TTL };
      return {
        get: (key) => client.get(key),
        getMany: (keys) => client.mget(keys),
        set: (key, text) => client.set(key, text, { expiry }),
        close: () => client.close(),
      };
    },
  ),
];

export const memcachedClients = [
  plain({ name: 'memjs', server: 'memcached' }, async (ports) => {
    const { default: memjs } = await import('memjs');
    const client = memjs.Client.create(memcachedAddress(ports), {
      logger: { log: (said) => logger.warn(said) },
    });
    return {
      get: async (key) => (await client.get(key)).value?.toString('utf8'),
      set: (key, text) => client.set(key, text, { expires: TTL }),
      close: () => client.close(),
    };
  }),
  // Its package asks for Node.js 22.19; it runs on 20 as well, where most of the figures here are from.
  plain({ name: 'memcache', server: 'memcached' }, async (ports) => {
    const { Memcache } = await import('memcache');
    const client = new Memcache(memcachedAddress(ports));
    await client.connect();
    return {
      client,
      get: (key) => client.get(key),
      set: (key, text) => client.set(key, text, TTL),
      close: () => client.disconnect(),
    };
  }),
];

/** A string out of a map in order of use, parsed. No cache that hands out a fresh object can be faster. */
export const inProcess = [
  {
    name: 'lru-cache + JSON.parse',
    server: 'process',
    package: 'lru-cache',
    async open() {
      const { LRUCache } = await import('lru-cache');
      const maxSize = 64 * 1_024 * 1_024;
      const texts = new LRUCache({ maxSize, sizeCalculation: (text) => text.length, ttl: TTL * 1_000 });
      return {
        get: async (key) => parsed(texts.get(key)),
        set: async (key, value) => texts.set(key, JSON.stringify(value)),
        async close() {},
      };
    },
  },
];
