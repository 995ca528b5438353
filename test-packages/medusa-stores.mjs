// Each store behind Medusa's Caching Module, with a server of its own where it has one: what `medusa-config.ts` would say
// of its provider, and the server.

import { startMemcached, startRedis } from './servers.mjs';

/** By their ids; `options` are further ones of the provider. */
export const stores = {
  redis: async (options = {}) => {
    const server = await startRedis();
    const redisUrl = `redis://127.0.0.1:${server.port}`;
    return { server, provider: { resolve: 'cachalot/medusa/redis', options: { redisUrl, ...options } } };
  },
  memcached: async (options = {}) => {
    const server = await startMemcached();
    const serverUrls = [`127.0.0.1:${server.port}`];
    return {
      server,
      provider: { resolve: 'cachalot/medusa/memcached', options: { serverUrls, ...options } },
    };
  },
  memory: async (options = {}) => ({ provider: { resolve: 'cachalot/medusa/memory', options } }),
};
