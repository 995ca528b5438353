/** For `resolve: 'cachalot/medusa/memory'` in medusa-config. */
import { memoryLoader } from './loaders.js';
import { type MedusaModuleProvider, moduleProvider } from './module-provider.js';
import { MemoryCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof MemoryCachingProvider> = moduleProvider(
  MemoryCachingProvider,
  memoryLoader,
);

export default provider;
