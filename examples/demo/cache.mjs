// The cache, opened as an application would: a provider of cachalot/medusa with its options.

import { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from 'cachalot/medusa';

/** Keys of the demo are its own, also on a server that others use. */
const PREFIX = 'cachalot-demo';

/** Reaching the server failed, or it cannot be used. */
export class Unreachable extends Error {}

/**
 * @param {{ backend: 'memory' | 'redis' | 'memcached', address?: string }} options
 * @param {{ compression?: object }} [extra] further options of the provider
 */
export async function openCache({ backend, address }, extra = {}) {
  const warnings = [];
  const warn = (message) => warnings.push(message);
  const logger = { debug() {}, info() {}, warn, error: warn };
  const cache = open(backend, address, logger, extra);
  if (backend === 'memory') return cache;
  // The provider connects in the background and an outage is a miss: whether a server is there shows in a round trip.
  const written = `written at ${Date.now()}`;
  await cache.set({ key: 'demo:hello', data: written, ttl: 60 });
  if ((await cache.get({ key: 'demo:hello' })) === written) return cache;
  await cache.close();
  throw new Unreachable(warnings.join('\n') || 'A value that was just written could not be read back.');
}

function open(backend, address, logger, extra) {
  switch (backend) {
    case 'redis':
      return new RedisCachingProvider({ logger }, { redisUrl: address, prefix: PREFIX, ...extra });
    case 'memcached':
      return new MemcachedCachingProvider(
        { logger },
        { serverUrls: address.split(','), cachePrefix: PREFIX, ...extra },
      );
    case 'memory':
      return new MemoryCachingProvider({ logger }, { prefix: PREFIX, ...extra });
  }
}
