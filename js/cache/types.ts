/** What the methods of `Cache` take, and what a cache can keep. */
import type { Factory } from './factory.js';
import type { ComputeOptions } from './options.js';

/** What JSON can hold: `undefined` is how a miss looks. */
// biome-ignore lint/complexity/noBannedTypes: anything but null and undefined, and null.
export type JsonStorable = {} | null;

/**
 * What is stored. Whether the serializer can hold it is checked when it is stored, not by the compiler: no type that refuses a
 * function here would take the unconstrained `T` of a function that wraps `set`.
 */
export interface SetOptions<T> extends Pick<ComputeOptions, 'ttl' | 'grace'> {
  key: string;
  value: T;
  tags?: readonly string[] | undefined;
}

export interface SetForeverOptions<T> {
  key: string;
  value: T;
  tags?: readonly string[] | undefined;
}

export interface GetOrSetOptions<T> extends ComputeOptions {
  key: string;
  /** Makes the value when there is none. */
  factory: Factory<T>;
  /** What the value can be cleared by. The factory may replace them: `context.setTags()`. */
  tags?: readonly string[] | undefined;
}

export interface GetOptions<T> {
  key: string;
  /** Given for a miss, and stored nowhere. @default undefined */
  defaultValue?: T;
}

export interface DeleteManyOptions {
  keys: readonly string[];
}

export interface TagsOptions {
  tags: readonly string[];
}
