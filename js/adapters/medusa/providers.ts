/** The classes that Medusa registers, one a backend. */

import type { BySentinel } from '../../options/redis.js';
import type { ProviderDependencies } from '../../shared/injected-logger.js';
import {
  type MemcachedProviderOptions,
  type MemoryProviderOptions,
  memcachedFace,
  memoryFace,
  type RedisProviderOptions,
  redisFace,
} from './options.js';
import { CachingProvider } from './provider.js';

/** Caches in Redis or Valkey. */
export class RedisCachingProvider extends CachingProvider {
  static readonly identifier = redisFace.identifier;

  /** Asked by Medusa at boot. @throws CachalotError that names the option */
  static validateOptions(options: unknown): void {
    redisFace.settings(options);
  }

  /** @param options ignored where Medusa's loader has registered the provider's own */
  constructor(
    dependencies: ProviderDependencies,
    options?: RedisProviderOptions | BySentinel<RedisProviderOptions, 'redisUrl'>,
  ) {
    super(redisFace, dependencies, options);
  }
}

/** Caches in memcached 1.6 or later. */
export class MemcachedCachingProvider extends CachingProvider {
  static readonly identifier = memcachedFace.identifier;

  /** Asked by Medusa at boot. @throws CachalotError that names the option */
  static validateOptions(options: unknown): void {
    memcachedFace.settings(options);
  }

  /** @param options ignored where Medusa's loader has registered the provider's own */
  constructor(dependencies: ProviderDependencies, options?: MemcachedProviderOptions) {
    super(memcachedFace, dependencies, options);
  }
}

/** Caches in this process's memory. */
export class MemoryCachingProvider extends CachingProvider {
  static readonly identifier = memoryFace.identifier;

  /** Asked by Medusa at boot. @throws CachalotError that names the option */
  static validateOptions(options: unknown): void {
    memoryFace.settings(options);
  }

  /** @param options ignored where Medusa's loader has registered the provider's own */
  constructor(dependencies: ProviderDependencies, options?: MemoryProviderOptions) {
    super(memoryFace, dependencies, options);
  }
}
