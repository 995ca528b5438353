/** For `resolve: 'cachalot/medusa/memcached'` in medusa-config. */
import { type MedusaModuleProvider, memcachedLoader, moduleProvider } from './loaders.js';
import { MemcachedCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof MemcachedCachingProvider> = moduleProvider(
  MemcachedCachingProvider,
  memcachedLoader,
);

export default provider;
