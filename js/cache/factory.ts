/** A factory: how it is asked for, what it is called with and may change while it runs, and what becomes of it. */
import { type CachalotError, FactoryError } from '../shared/errors.js';
import type { NativeStore } from '../store/native-store.js';
import type { TagList } from '../store/tags.js';
import { tagsToStore, timing } from './arguments.js';
import type { CacheSettings, ComputeOptions, ResolvedEntryOptions } from './options.js';
import type { Telemetry } from './telemetry.js';

/** Given to a factory. */
export interface FactoryContext {
  /** Replaces the tags that the value is stored with. */
  setTags(tags: readonly string[]): void;
  /** Replaces the ttl that the value is stored with. */
  setTtl(ttl: ComputeOptions['ttl']): void;
  /** The value is given to the callers and not stored. @returns `undefined`, for `return context.skip()` */
  skip(): undefined;
  /** Gives up: callers get the stale value, or `CACHALOT_FACTORY` without one. */
  fail(message?: string, options?: { cause?: unknown }): never;
  /** The value past its ttl that is still within its grace. */
  readonly staleEntry: { readonly value: unknown; readonly createdAt: number | undefined } | undefined;
  /** Aborted by `hardTimeout` and by the closing of the cache. A factory that ends then frees its key at once. */
  readonly signal: AbortSignal;
}

/** The context says nothing of `T`, so that the compiler finds `T` in what the factory returns. */
export type Factory<T = unknown> = (context: FactoryContext) => T | Promise<T>;

/** A call of `getOrSet`, checked. */
export interface GetOrSetRequest {
  readonly method: string;
  readonly key: string;
  readonly factory: Factory;
  readonly tags: TagList;
  readonly timing: ResolvedEntryOptions;
}

/** The value that is served meanwhile, for the factory to see. */
export interface StaleEntry {
  readonly value: unknown;
  readonly createdAt: number | undefined;
  /** If it is refreshed before that: when it runs out. Another time in the store means that someone else has refreshed it. */
  readonly freshUntil?: number | undefined;
}

/** What became of a run. */
export type FactoryOutcome =
  /** `refused`: a clear came since it was read for, so it is not in the store. */
  { how: 'value'; value: unknown; refused?: boolean } | { how: 'failed'; error: unknown };

/** How the value of one factory run is stored. */
export interface EntryOverrides {
  tags: TagList;
  timing: ResolvedEntryOptions;
  skipped: boolean;
}

/** What a run needs of the cache that it belongs to. */
export interface FactoryRunHost {
  readonly store: NativeStore;
  readonly settings: CacheSettings;
  readonly telemetry: Telemetry;
  readonly clears: number;
  encode(key: string, value: unknown): string | Uint8Array;
  decode(stored: string | Uint8Array): { value: unknown } | undefined;
  report(operation: string, error: CachalotError): void;
}

export function contextOf(
  { method, tags, timing: base }: GetOrSetRequest,
  staleEntry: StaleEntry | undefined,
  signal: AbortSignal,
): { context: FactoryContext; overrides: EntryOverrides } {
  const overrides: EntryOverrides = { tags, timing: base, skipped: false };
  const context: FactoryContext = {
    setTags: (given) => {
      overrides.tags = tagsToStore(`${method}: setTags`, given);
    },
    setTtl: (ttl) => {
      overrides.timing = timing(`${method}: setTtl`, { ttl }, base);
    },
    skip: () => {
      overrides.skipped = true;
      return undefined;
    },
    fail: (message = 'The factory gave up.', options) => {
      throw new FactoryError(message, options);
    },
    staleEntry,
    signal,
  };
  return { context, overrides };
}
