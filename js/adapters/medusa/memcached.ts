/** For `resolve: 'cachalot/medusa/memcached'` in medusa-config. */
import { memcachedLoader } from './loaders.js';
import { type MedusaModuleProvider, moduleProvider } from './module-provider.js';
import { MemcachedCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof MemcachedCachingProvider> = moduleProvider(
  MemcachedCachingProvider,
  memcachedLoader,
);

export default provider;
