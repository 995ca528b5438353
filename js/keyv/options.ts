/** What the adapter is made with. */
import { milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import { type Check, describe, flag, invalid, object, text } from '../options/check.js';
import type { StoreSpec } from '../options/native-config.js';
import { prefix } from '../options/store.js';

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
  /** Reject when the store fails, after the `error` event, instead of answering `undefined` and `false`. @default false */
  throwOnErrors?: boolean | undefined;
}

/** Checked when it is opened (js/open.ts). */
const anyStore: Check<StoreSpec> = (value) => value as StoreSpec;

export const checkOptions: Check<Partial<CachalotKeyvOptions>> = object<CachalotKeyvOptions>({
  store: anyStore,
  prefix,
  namespace: text(),
  useKeyPrefix: flag,
  throwOnErrors: flag,
});

/** In milliseconds, for Keyv takes no text. `undefined` = for ever. */
export const defaultLifetime: Check<number | undefined> = (value, at) => {
  if (value === undefined || value === Infinity) {
    return undefined;
  }
  try {
    return milliseconds(at.face, at.path, value);
  } catch (error) {
    const expected = "milliseconds of 0 or more, or text such as '30s' or '5m'";
    throw error instanceof ConfigError ? invalid(at, expected, describe(value)) : error;
  }
};
