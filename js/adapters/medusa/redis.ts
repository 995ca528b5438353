/** For `resolve: 'cachalot/medusa/redis'` in medusa-config. */
import { type MedusaModuleProvider, moduleProvider, redisLoader } from './loaders.js';
import { RedisCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof RedisCachingProvider> = moduleProvider(
  RedisCachingProvider,
  redisLoader,
);

export default provider;
