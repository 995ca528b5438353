/** The guard of adapters whose callers have nothing but get and set: data read before a clear is not stored after it. */
import { type Checked, integer, object } from './check.js';
import { defined, type StoreSpec } from './native-config.js';
import { MAX_TIMEOUT_MS } from './store.js';

/** How misses are remembered, so that data read before a clear is not stored after it (docs/internals/tags.md). */
export interface StaleWriteGuardOptions {
  /** How long a miss guards the set that follows it, in milliseconds. 0 = no set is guarded. @default 10000 */
  ms?: number | undefined;
  /** Misses remembered one by one; more are merged, none is forgotten. @default 65536 */
  max?: number | undefined;
}

export interface GuardedOptions {
  /** Refuses data that was read before a clear and is set after it. */
  staleWriteGuard?: StaleWriteGuardOptions | undefined;
}

/** A miss remembered costs some 100 bytes; this many take about 1.6 GB. */
const MAX_MISSES = 16_777_216;

export const staleWriteGuard = object<StaleWriteGuardOptions>({
  ms: integer('milliseconds', 0, MAX_TIMEOUT_MS),
  max: integer('misses', 1, MAX_MISSES),
});

/** The store, whose sets go by the misses before them. */
export function guarded(spec: StoreSpec, options: Checked<StaleWriteGuardOptions> = {}): StoreSpec {
  return { ...spec, native: { ...spec.native, missMemory: defined(options) } };
}
