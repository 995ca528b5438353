/**
 * How a provider's options get from Medusa's loader to its class. Medusa 2.21 gives the class the Caching Module's
 * options as second argument; the provider's own reach only the loader, which leaves them in the container. That
 * container is made anew for every provider, so two providers, also of one kind, never see each other's.
 */
import { ConfigError } from '../../shared/errors.js';
import { loggerOf, probe } from '../../shared/injected-logger.js';
import { Logger } from '../../shared/logger.js';
import type { Face, Settings } from './options.js';

/** The part of Medusa's container that a loader needs. */
export interface RegistrationContainer {
  register(registrations: Record<string, { resolve: () => unknown }>): unknown;
}

/** Named by kind, so that a hand-written module with several providers in one container keeps them apart as well. */
function registrationName(caller: Face): string {
  return `${caller.identifier}-settings`;
}

export function register(container: RegistrationContainer, caller: Face, settings: Settings): void {
  container.register({ [registrationName(caller)]: { resolve: () => settings } });
}

/** The loader's settings if there was one, else those of the second argument. */
export function settingsFor(caller: Face, dependencies: unknown, options: unknown): Settings {
  const registered = probe(dependencies, registrationName(caller));
  if (registered !== undefined) {
    return registered as Settings;
  }
  if (isCachingModules(options)) {
    throw new ConfigError(
      `${caller.identifier}: expected the provider's options, got those of the Caching Module. Medusa gives a provider its options through its loader only: export it too, { services, loaders }, as cachalot/medusa does.`,
    );
  }
  const settings = caller.settings(options);
  // The loader, where there is one, has told of it.
  new Logger(loggerOf(dependencies), caller.identifier).ignored(settings.store);
  return settings;
}

/** No option of a provider is called `providers`. */
export function isCachingModules(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'providers' in options;
}
