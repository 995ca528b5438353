/** For `resolve: 'cachalot/medusa/redis'` in medusa-config. */
import { redisLoader } from './loaders.js';
import { type MedusaModuleProvider, moduleProvider } from './module-provider.js';
import { RedisCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof RedisCachingProvider> = moduleProvider(
  RedisCachingProvider,
  redisLoader,
);

export default provider;
