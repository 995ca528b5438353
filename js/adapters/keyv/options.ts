/** What the adapter is made with. */

import {
  type Check,
  describe,
  type ForeignNames,
  flag,
  invalid,
  type OptionPath,
  object,
  text,
} from '../../options/check.js';
import { redis } from '../../options/config.js';
import { parseDuration } from '../../options/duration.js';
import type { StoreSpec } from '../../options/native-config.js';
import { isUrl, type UrlObject } from '../../options/redis-url.js';
import { prefix } from '../../options/store.js';
import { ConfigError } from '../../shared/errors.js';
import type { CacheLogger } from '../../shared/logger.js';
import { loggerOption } from '../../shared/logger.js';

export interface CachalotKeyvOptions {
  /** `redis({ url })`, `memcached({ servers })` or `memory()`, imported from `cachalot`. */
  store: StoreSpec;
  /** What every key in the store starts with. @default the store's, which is 'cachalot' unless given */
  prefix?: string | undefined;
  /** Set by Keyv too, to its own. @default none */
  namespace?: string | undefined;
  /**
   * Whether Keyv puts the namespace before each key, as it does unless it was made with `useKeyPrefix: false`. Give
   * both the same; `createKeyv` does. Keyv 6 never does, and is known by what it asks for.
   * @default true
   */
  useKeyPrefix?: boolean | undefined;
  /**
   * Refuses a `set` whose key was deleted, or cleared with its namespace, after the `get` that missed before it: for
   * `wrap` of cache-manager, which reads, computes and sets. A refused set answers `false`.
   * @default false: every set is stored
   */
  guardSets?: boolean | undefined;
  /** Reject when the store fails, after the `error` event, instead of answering `undefined` and `false`. @default false */
  throwOnErrors?: boolean | undefined;
  /**
   * Gets a line when an outage begins and one when it ends.
   * @default a warning of the process for each outage, unless somebody but Keyv listens to `error`
   */
  logger?: CacheLogger | undefined;
}

/** Options of @keyv/redis that Cachalot has no use for. */
const KEYV_REDIS = [
  'keyPrefixSeparator',
  'clearBatchSize',
  'useUnlink',
  'noNamespaceAffectsAll',
  'throwOnConnectError',
  'connectionTimeout',
] as const;

/** What may stand beside a URL, as in @keyv/redis; those names of it that have no meaning here are ignored. */
export type BesideUrl<T> = Omit<T, 'store'> & { [Name in (typeof KEYV_REDIS)[number]]?: unknown };

/** One object of options, from what may also be a URL and what stands beside it. */
export function joined<T extends { store: StoreSpec }>(
  caller: string,
  given: T | string | UrlObject,
  beside: BesideUrl<T> | undefined,
): T {
  if (typeof given === 'string' || isUrl(given)) {
    return { ...beside, store: redis(given) } as unknown as T;
  }
  if (beside !== undefined) {
    throw new ConfigError(
      `${caller}: expected one object of options, or a URL and an object, got two objects. Put all into the first.`,
    );
  }
  return given;
}

const keyvRedisNotes: ForeignNames = (name) =>
  (KEYV_REDIS as readonly string[]).includes(name) ? 'ignored' : undefined;

/** Checked when it is opened (js/store/open.ts). */
const anyStore: Check<StoreSpec> = (value) => value as StoreSpec;

const check = object<CachalotKeyvOptions>(
  {
    store: anyStore,
    prefix,
    namespace: text(),
    useKeyPrefix: flag,
    guardSets: flag,
    throwOnErrors: flag,
    logger: loggerOption,
  },
  keyvRedisNotes,
);

/** With what was ignored, of the store's options as well. */
export function checkOptions(
  caller: string,
  given: CachalotKeyvOptions,
): Partial<CachalotKeyvOptions> & { ignored: readonly string[] } {
  const at: OptionPath = { caller, path: '', ignored: new Set(given?.store?.ignored) };
  return { ...check(given, at), ignored: [...(at.ignored ?? [])] };
}

/** In milliseconds, for Keyv takes no text. `undefined` = for ever. */
export const defaultLifetime: Check<number | undefined> = (value, at) => {
  if (value === undefined || value === Infinity) {
    return undefined;
  }
  try {
    return parseDuration(at.caller, at.path, value);
  } catch (error) {
    const expected = "milliseconds of 0 or more, or text such as '30s', '5m' or '1h30m'";
    throw error instanceof ConfigError ? invalid(at, expected, describe(value)) : error;
  }
};
