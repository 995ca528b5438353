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
  /** Within the namespace: any text of at least one character. */
  key: string;
  /** Anything that the serializer can hold, but `undefined`. */
  value: T;

  /** What the value can be cleared by, any number. @default none */
  tags?: readonly string[] | undefined;
}

export interface SetForeverOptions<T> {
  /** Within the namespace: any text of at least one character. */
  key: string;
  /** Anything that the serializer can hold, but `undefined`. */
  value: T;
  /** What the value can be cleared by, any number. @default none */
  tags?: readonly string[] | undefined;
}

export interface GetOrSetOptions<T> extends ComputeOptions {
  /** Within the namespace: any text of at least one character. */
  key: string;
  /** Makes the value when there is none. */
  factory: Factory<T>;
  /** What the value can be cleared by, any number. The factory may replace them: `context.setTags()`. @default none */
  tags?: readonly string[] | undefined;
}

export interface GetOptions<T> {
  /** Within the namespace: any text of at least one character. */
  key: string;
  /** Given for a miss, and stored nowhere. @default undefined */
  defaultValue?: T;
}

export interface DeleteManyOptions {
  /** Within the namespace; repeats do no harm. */
  keys: readonly string[];
}

export interface TagsOptions {
  /** Any number of them. */
  tags: readonly string[];
}
