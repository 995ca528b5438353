/** Opens the store of an adapter. */

import { describe } from '../options/check.js';
import type { StoreSpec } from '../options/native-config.js';
import { ConfigError } from '../shared/errors.js';
import { NativeStore, type StoreEvent } from './native-store.js';

/**
 * A description with this prefix in place of its own, if one is given.
 * @throws ConfigError if it is none of `redis()`, `memcached()` and `memory()`
 */
export function described(caller: string, store: unknown, prefix?: string): StoreSpec {
  const spec = store as Partial<StoreSpec> | null | undefined;
  if (typeof spec !== 'object' || spec === null || typeof spec.kind !== 'string' || !spec.native) {
    throw new ConfigError(
      `${caller}: option "store": expected redis({ url }), memcached({ servers }) or memory(), imported from "cachalot", got ${describe(store, true)}.`,
    );
  }
  return prefix === undefined
    ? (spec as StoreSpec)
    : ({ ...spec, native: { ...spec.native, prefix } } as StoreSpec);
}

/** Returns at once; connections are made in the background. */
export function openStore(spec: StoreSpec, onEvent?: (event: StoreEvent) => void): NativeStore {
  return new NativeStore(spec.native, onEvent, spec.l1, spec.credentials);
}
