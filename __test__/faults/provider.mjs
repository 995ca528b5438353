// The provider that a test describes, out of the built package, as an application has it.

import { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from 'cachalot/medusa';

const CLASSES = {
  redis: RedisCachingProvider,
  memcached: MemcachedCachingProvider,
  memory: MemoryCachingProvider,
};
const logger = { debug() {}, info() {}, warn() {}, error() {} };

export function open({ kind, options }) {
  return new CLASSES[kind]({ logger }, options);
}
