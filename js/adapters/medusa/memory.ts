/** For `resolve: 'cachalot/medusa/memory'` in medusa-config. */
import { type MedusaModuleProvider, memoryLoader, moduleProvider } from './loaders.js';
import { MemoryCachingProvider } from './providers.js';

const provider: MedusaModuleProvider<typeof MemoryCachingProvider> = moduleProvider(
  MemoryCachingProvider,
  memoryLoader,
);

export default provider;
