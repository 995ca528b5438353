/** Keys that know the type of what is cached under them. */

import { describe } from '../../options/check.js';
import { ConfigError } from '../../shared/errors.js';

declare const valueType: unique symbol;

/** A string under which values of `T` are cached. */
export type CacheKey<T> = string & { readonly [valueType]: T };

/** A string that says nothing of what is cached under it. */
export type PlainKey = string & { readonly [valueType]?: never };

/** Makes keys for values of `T`. One that needs no arguments stands for its key as well: `cache.get(flagsKey)`. */
// biome-ignore lint/suspicious/noExplicitAny: with the value's type written out the compiler infers nothing of the arguments.
export type CacheKeyFactory<T, Args extends readonly unknown[] = any[]> = (...args: Args) => CacheKey<T>;

/** What stands for a key of `T`. */
export type TypedKey<T> = CacheKey<T> | (() => CacheKey<T>);

/** `T`, without saying what `T` is: it is inferred from elsewhere. (`NoInfer` came with TypeScript 5.4.) */
export type Given<T> = [T][T extends unknown ? 0 : never];

/**
 * A factory of keys for values of `T`.
 *
 * @example
 * const userKey = createCacheKey<User>('user', (id: string) => `user:${id}`);
 * const user = await service.get(userKey('123'));
 *
 * @param name what is cached, for people: the name of the function that is returned
 * @throws ConfigError if `toKey` is no function
 */
// biome-ignore lint/suspicious/noExplicitAny: see CacheKeyFactory.
export function createCacheKey<T, Args extends readonly unknown[] = any[]>(
  name: string,
  toKey: (...args: Args) => string,
): CacheKeyFactory<T, Args> {
  if (typeof toKey !== 'function') {
    throw new ConfigError(
      `createCacheKey: expected a name and a function that makes the key, got ${describe(toKey)}.`,
    );
  }
  const factory = (...args: Args) => toKey(...args) as CacheKey<T>;
  Object.defineProperty(factory, 'name', { value: name });
  return factory;
}
