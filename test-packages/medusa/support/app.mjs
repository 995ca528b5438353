// Medusa's own loader with the Caching Module, the local event bus and a catalogue: the part of an application that a
// caching provider meets. No database, hence no link modules.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const { MedusaApp, MedusaModule } = require('@medusajs/framework/modules-sdk');
const { ContainerRegistrationKeys, FeatureFlag, Modules } = require('@medusajs/framework/utils');

export const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const CATALOGUE = 'catalogue';

/** Keeps what was said, by level, so that a test can read the log. */
export function recordingLogger() {
  const lines = [];
  const at = (level) => (message, error) => {
    lines.push({ level, text: [message, error].filter(Boolean).map(String).join(' ') });
  };
  return {
    lines,
    ...Object.fromEntries(
      ['debug', 'info', 'warn', 'error', 'log', 'verbose', 'silly'].map((l) => [l, at(l)]),
    ),
  };
}

/**
 * Boots an application with these providers, as `medusa-config.ts` would name them.
 * `caching` is the Caching Module's service, `query` Medusa's Query, `events` the event bus.
 */
export async function boot(providers, { logger = recordingLogger(), loaderOnly = false } = {}) {
  FeatureFlag.setFlag('caching', true);
  MedusaModule.clearInstances();
  const app = await MedusaApp({
    loaderOnly,
    cwd: packageFolder,
    modulesConfig: {
      [Modules.EVENT_BUS]: { resolve: '@medusajs/event-bus-local' },
      [Modules.CACHING]: { resolve: '@medusajs/caching', options: { providers } },
      [CATALOGUE]: {
        resolve: fileURLToPath(new URL('./catalogue.cjs', import.meta.url)),
        definition: {
          key: CATALOGUE,
          label: 'Catalogue',
          isRequired: false,
          isQueryable: true,
          defaultModuleDeclaration: { scope: 'internal' },
        },
      },
      // Links live in Postgres; without them there is nothing to initialise.
      [Modules.LINK]: { initialize: async () => ({}), getMigrationPlanner: () => ({}) },
    },
    injectedDependencies: {
      [ContainerRegistrationKeys.LOGGER]: logger,
      [ContainerRegistrationKeys.CONFIG_MODULE]: { projectConfig: {}, featureFlags: { caching: true } },
    },
  });
  if (loaderOnly) return { app, logger };
  await app.onApplicationStart();
  const caching = app.modules[Modules.CACHING];
  return {
    app,
    logger,
    caching,
    query: app.query,
    events: app.modules[Modules.EVENT_BUS],
    catalogue: app.modules[CATALOGUE],
    container: app.sharedContainer,
    /** The provider behind an id, where a test must look behind the Caching Module. */
    provider: (id) => caching.providerService.retrieveProvider(id),
    async close() {
      await Promise.all(providers.map(({ id }) => caching.providerService.retrieveProvider(id).close()));
      await app.onApplicationShutdown();
      // The local bus has one emitter a process: the next application's events would go on reaching this one.
      app.modules[Modules.EVENT_BUS].eventEmitter_.removeAllListeners();
    },
  };
}

/** Waits until `condition` answers true, at most `ms`; a test then says what it waited for. */
export async function eventually(what, condition, ms = 3_000) {
  const until = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > until) throw new Error(`Not within ${ms} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
