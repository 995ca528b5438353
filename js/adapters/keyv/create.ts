/** A Keyv over the adapter, in one call. */
import { Keyv } from 'keyv';
import type { Duration } from '../../options/duration.js';
import type { UrlObject } from '../../options/redis-url.js';
import { CachalotKeyv } from './adapter.js';
import { type BesideUrl, type CachalotKeyvOptions, defaultLifetime, joined } from './options.js';

export interface CreateKeyvOptions extends Omit<CachalotKeyvOptions, 'useKeyPrefix'> {
  /** For a set that names none: milliseconds, or text such as '5m'; 0 is for ever, as to Keyv itself. @default for ever */
  ttl?: Duration | undefined;
}

/**
 * Of Redis by its URL, as in @keyv/redis: `createKeyv('redis://…', { namespace })`; or of any store.
 *
 * A Keyv whose keys the adapter puts into their namespace, without one that Keyv makes up (`keyv`). Needs Keyv 5 or 6
 * beside this package.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const keyv = createKeyv('redis://127.0.0.1:6379', { namespace: 'sessions', ttl: '1h' });
 */
export function createKeyv(url: string | UrlObject, options?: BesideUrl<CreateKeyvOptions>): Keyv;
export function createKeyv(options: CreateKeyvOptions): Keyv;
export function createKeyv(
  given: CreateKeyvOptions | string | UrlObject,
  beside?: BesideUrl<CreateKeyvOptions>,
): Keyv {
  const { ttl, ...rest } = joined('createKeyv', given, beside) ?? {};
  // Before a store is opened that nobody could close.
  const ms = defaultLifetime(ttl, { caller: 'createKeyv', path: 'ttl' });
  const store = new CachalotKeyv({ ...rest, useKeyPrefix: false });
  return new Keyv({
    store,
    useKeyPrefix: false,
    ...(ms === undefined ? {} : { ttl: ms }),
    ...(rest.throwOnErrors === undefined ? {} : { throwOnErrors: rest.throwOnErrors }),
    // Absent, it would be "keyv" in Keyv 5.
    namespace: store.namespace as string,
  });
}
