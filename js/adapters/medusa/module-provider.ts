import type { ProviderLoader } from './loaders.js';

/** What Medusa's loader reads of a provider's package. It writes properties onto it, so it is not frozen. */
export interface MedusaModuleProvider<Class> {
  services: [Class];
  loaders: [ProviderLoader];
}

export function moduleProvider<Class>(service: Class, loader: ProviderLoader): MedusaModuleProvider<Class> {
  return { services: [service], loaders: [loader] };
}
