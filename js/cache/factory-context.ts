/** What a factory is called with, and what it may change while it runs. */
import { FactoryError } from '../shared/errors.js';
import type { TagList } from '../store/tags.js';
import { tagsToStore, timing } from './arguments.js';
import type { Call, Held } from './factory-run.js';
import type { ComputeOptions, Computing } from './options.js';

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

/** How the value of one factory run is stored. */
export interface EntryOverrides {
  tags: TagList;
  timing: Computing;
  skipped: boolean;
}

export function contextOf(
  { method, tags, timing: base }: Call,
  staleEntry: Held | undefined,
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
