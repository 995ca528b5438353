/**
 * What Medusa runs at boot, also in `db:migrate` and `exec`, where no cache server may be up: a loader checks the
 * options, leaves them for the provider, and tells of the connection without waiting for it. Only wrong options fail.
 */

import { loggerOf } from '../../shared/injected-logger.js';
import type { CacheLogger } from '../../shared/logger.js';
import { Logger, lossOf } from '../../shared/logger.js';
import { NativeStore } from '../../store/native-store.js';
import { type Face, memcachedFace, memoryFace, redisFace, type Settings } from './options.js';
import { isCachingModules, type RegistrationContainer, register } from './registration.js';

/** What Medusa passes to a loader, as far as it matters here. */
export interface LoaderArguments {
  container: RegistrationContainer;
  logger?: CacheLogger | undefined;
  /** The provider's own, or, where it has none, the Caching Module's. */
  options?: unknown;
  /** The Caching Module's, where the provider has its own. */
  moduleOptions?: unknown;
}

export type ProviderLoader = (args: LoaderArguments) => Promise<void>;

/** Checks and registers the options of `RedisCachingProvider`. */
export const redisLoader: ProviderLoader = async (args) => load(redisFace, args);

/** Checks and registers the options of `MemcachedCachingProvider`. */
export const memcachedLoader: ProviderLoader = async (args) => load(memcachedFace, args);

/** Checks and registers the options of `MemoryCachingProvider`. */
export const memoryLoader: ProviderLoader = async (args) => load(memoryFace, args);

function load(caller: Face, { container, logger, options, moduleOptions }: LoaderArguments): void {
  // Without options of its own a provider's loader is given the Caching Module's in their place.
  const none = moduleOptions === undefined && isCachingModules(options);
  const settings = caller.settings(none ? undefined : options);
  register(container, caller, settings);
  const told = new Logger(loggerOf({ logger }), caller.identifier);
  told.ignored(settings.store);
  if (settings.store.servers.length === 0) {
    told.line('info', 'Caching in process memory');
  } else {
    probe(settings, told);
  }
}

/** What an attempt to connect takes at most, unless `connectTimeout` says otherwise (src/config.rs). */
const CONNECT_MS = 2000;

/**
 * Opens the store for as long as it takes to know whether the servers answer. Medusa makes the provider on first use,
 * which may be never: this connection is not kept for it. Nothing here keeps the process alive.
 */
function probe({ store }: Settings, log: Logger): void {
  log.line('info', `Connecting to ${store.servers.join(', ')} …`);
  const heard = new Set<string>();
  const opened = new NativeStore(
    store.native,
    (event) => {
      if (event.type === 'warning') {
        log.line('warn', event.message);
      } else if (!heard.has(event.server)) {
        heard.add(event.server);
        if (event.type === 'connected') {
          log.line('info', `Connected to ${event.server}`);
        } else {
          log.line('warn', lossOf(event.server, event.message), 'The cache is used once it is back');
        }
      }
      if (heard.size === store.servers.length) {
        close();
      }
    },
    undefined,
    store.credentials,
  );
  let closed = false;
  const close = () => {
    clearTimeout(limit);
    if (!closed) {
      closed = true;
      opened.close().catch((error: Error) => log.line('warn', error.message));
    }
  };
  const { backend } = store.native;
  const patience = (backend.type !== 'memory' && backend.timeouts?.connectMs) || CONNECT_MS;
  // A second more than the attempt itself, for its event to arrive.
  const limit = setTimeout(close, patience + 1000);
  limit.unref();
}

/** What Medusa's loader reads of a provider's package. It writes properties onto it, so it is not frozen. */
export interface MedusaModuleProvider<Class> {
  services: [Class];
  loaders: [ProviderLoader];
}

export function moduleProvider<Class>(service: Class, loader: ProviderLoader): MedusaModuleProvider<Class> {
  return { services: [service], loaders: [loader] };
}
