// Medusa's own loader with the older Cache Module alone.

import { createRequire } from 'node:module';
import { packageFolder, recordingLogger } from './app.mjs';

const require = createRequire(import.meta.url);
const { MedusaApp, MedusaModule } = require('@medusajs/framework/modules-sdk');
const { ContainerRegistrationKeys, Modules } = require('@medusajs/framework/utils');

/**
 * Boots an application with this entry of `modules`, as `medusa-config.ts` would have it.
 * `cache` is what the container gives to whoever asks for `Modules.CACHE`.
 */
export async function bootCache(declaration, { loaderOnly = false } = {}) {
  MedusaModule.clearInstances();
  const logger = recordingLogger();
  const app = await MedusaApp({
    loaderOnly,
    cwd: packageFolder,
    modulesConfig: {
      [Modules.CACHE]: declaration,
      // Links live in Postgres; without them there is nothing to initialise.
      [Modules.LINK]: { initialize: async () => ({}), getMigrationPlanner: () => ({}) },
    },
    injectedDependencies: {
      [ContainerRegistrationKeys.LOGGER]: logger,
      [ContainerRegistrationKeys.CONFIG_MODULE]: { projectConfig: {}, featureFlags: {} },
    },
  });
  if (loaderOnly) return { app, logger };
  await app.onApplicationStart();
  return {
    logger,
    cache: app.sharedContainer.resolve(Modules.CACHE),
    close: () => app.onApplicationShutdown(),
  };
}
