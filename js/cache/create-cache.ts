/** Making a cache, and the interface that one has. */
import { Cache } from './cache.js';
import { Core } from './core.js';
import { type CacheOptions, settingsOf } from './options.js';
import type { JsonStorable } from './types.js';

/** What a `Cache` can do: to depend on, so that a test may pass a fake. */
export interface CacheLike<Allowed = JsonStorable> extends Omit<Cache<Allowed>, 'namespace'> {
  namespace(name: string): CacheLike<Allowed>;
}

/**
 * A cache over a store. Returns at once; connections are made in the background.
 * @throws ConfigError that names the option, what was expected and what came
 * @example
 * const cache = createCache({ store: redis({ url: 'redis://127.0.0.1:6379' }), ttl: '10m' });
 */
export function createCache(options: CacheOptions & { serializer?: 'json' | undefined }): Cache<JsonStorable>;
export function createCache(options: CacheOptions): Cache<unknown>;
export function createCache(options: CacheOptions): Cache<unknown> {
  return Cache.over(new Core(settingsOf(options)));
}
