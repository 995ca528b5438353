/** What the methods of `Cache` take, and what a cache can keep. */
import type { Cache } from './cache.js';
import type { Factory } from './flight.js';
import type { ComputeOptions } from './options.js';

/** What no serializer keeps by itself. */
type Unstorable = symbol | ((...given: never[]) => unknown);

/** What JSON can hold: `undefined` is how a miss looks. */
// biome-ignore lint/complexity/noBannedTypes: anything but null and undefined, and null.
export type JsonStorable = {} | null;

/** `T`, unless the cache cannot keep it: then nothing fits. What is inside an object is checked when it is stored. */
export type Storable<T, Allowed> = T extends Unstorable
  ? never
  : T extends Allowed
    ? Allowed extends JsonStorable
      ? T extends bigint
        ? never
        : T
      : T
    : never;

/** Any object but a function: those alone have this name. */
type Data = object & { readonly [Symbol.hasInstance]?: never };

/**
 * What one of many entries may hold: no function, no symbol, and `undefined` where the cache takes it. A `bigint` that
 * JSON cannot hold is found when it is stored: a type that asks which serializer there is would make `Cache` and
 * `Cache<unknown>` strangers to each other.
 */
export type Entry<Allowed> = string | number | boolean | bigint | null | Data | (Allowed & undefined);

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
  /**
   * Makes the value when there is none. What it returns is checked when it is stored, not by the compiler: no type that
   * refuses a `bigint` here would take the unconstrained `T` of a function that wraps this one.
   */
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

/** What a `Cache` can do: to depend on, so that a test may pass a fake. */
export interface CacheLike<Allowed = JsonStorable> extends Omit<Cache<Allowed>, 'namespace'> {
  namespace(name: string): CacheLike<Allowed>;
}
