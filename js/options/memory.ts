/** What people write for process memory, and what it becomes for the native core. */
import { type Checked, integer, type Shape, text } from './check.js';
import { defined, type StoreSpec } from './native-config.js';
import { nativeCore, prefix, type StoreOptions, storeShape } from './store.js';

export interface MemoryOptions extends StoreOptions {
  /** Stores of one name are one store, also across the worker threads of a process. Absent: a store of its own. */
  name?: string | undefined;
  /** Bound on keys, values and bookkeeping, in bytes. @default 268435456 (256 MiB) */
  maxBytes?: number | undefined;
  /** @default 'cachalot' */
  prefix?: string | undefined;
}

/** Below a few KiB not even the bookkeeping of tags fits. */
const MIN_BYTES = 16 * 1024;

/** A TiB: more than any machine that runs this has, and exact as a JSON number. */
const MAX_BYTES = 2 ** 40;

export const memoryShape: Shape<MemoryOptions> = {
  ...storeShape,
  name: text(),
  maxBytes: integer('bytes', MIN_BYTES, MAX_BYTES),
  prefix,
};

/** Memory is read far more often than filled, so only values are packed that are worth a trip to the worker thread. */
const THRESHOLD = 16 * 1024;

export function memorySpec(caller: string, options: Checked<MemoryOptions>): StoreSpec {
  return {
    kind: 'memory',
    servers: [],
    native: {
      prefix: options.prefix ?? 'cachalot',
      backend: { type: 'memory', ...defined({ name: options.name, maxBytes: options.maxBytes }) },
      ...nativeCore(caller, options, { fallback: { enabled: false, threshold: THRESHOLD } }),
    },
  };
}
