/** A Keyv over the adapter, in one call. */
import { Keyv } from 'keyv';
import { CachalotKeyv } from './adapter.js';
import type { CachalotKeyvOptions } from './options.js';

export interface CreateKeyvOptions extends Omit<CachalotKeyvOptions, 'useKeyPrefix'> {
  /** For a set that names none, in milliseconds. @default for ever */
  ttl?: number | undefined;
}

/**
 * A Keyv whose keys the adapter puts into their namespace, without one that Keyv makes up (`keyv`). Needs Keyv 5 or 6
 * beside this package.
 * @throws ConfigError that names the option, what was expected and what came
 */
export function createKeyv(options: CreateKeyvOptions): Keyv {
  const { ttl, ...rest } = options ?? {};
  const store = new CachalotKeyv({ ...rest, useKeyPrefix: false });
  return new Keyv({
    store,
    useKeyPrefix: false,
    ...(ttl === undefined ? {} : { ttl }),
    ...(rest.throwOnErrors === undefined ? {} : { throwOnErrors: rest.throwOnErrors }),
    // Absent, it would be "keyv" in Keyv 5.
    namespace: store.namespace as string,
  });
}
