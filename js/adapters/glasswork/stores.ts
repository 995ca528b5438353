/** The stores under the names that Glasswork gives its own. */

import { describe } from '../../options/check.js';
import { type MemoryStoreOptions, memory, type RedisStoreOptions, redis } from '../../options/config.js';
import type { StoreSpec } from '../../options/native-config.js';
import type { RedisConnectionOptions } from '../../options/redis.js';
import { ConfigError, UnsupportedError } from '../../shared/errors.js';
import type { CacheLogger } from '../../shared/logger.js';
import { CALLER } from './arguments.js';
import { CachalotStore } from './store.js';
import type { CacheStore } from './types.js';

export interface RedisCacheStoreConfig extends RedisStoreOptions {
  /** As `redisOptions`: ioredis's options, of which those without a meaning here are ignored. @default none */
  options?: RedisConnectionOptions | undefined;
  /** Gets a line when an outage begins and one when it ends. @default console */
  logger?: CacheLogger | undefined;
}

export interface MemoryCacheStoreConfig extends MemoryStoreOptions {
  /** Gets a line when an outage begins and one when it ends. @default console */
  logger?: CacheLogger | undefined;
}

/** Caches in Redis or Valkey. */
export class RedisCacheStore extends CachalotStore {
  override readonly name: string = 'redis';

  /** @throws CachalotError that names the option, what was expected and what came */
  constructor(config: RedisCacheStoreConfig) {
    const { options, logger, ...rest } = given('RedisCacheStore', config);
    if (options !== undefined && rest.redisOptions !== undefined) {
      throw new ConfigError(
        `${CALLER}: RedisCacheStore: options "options" and "redisOptions" mean the same. Keep one of them.`,
      );
    }
    const store = redis(options === undefined ? rest : { ...rest, redisOptions: options });
    super({ store: options === undefined ? store : named(store), logger });
  }
}

/** What was ignored, by the name under which it was given. */
function named(store: StoreSpec): StoreSpec {
  const { ignored } = store;
  return ignored === undefined
    ? store
    : { ...store, ignored: ignored.map((name) => name.replace(/^redisOptions\./, 'options.')) };
}

/** Caches in this process's memory. */
export class MemoryCacheStore extends CachalotStore {
  override readonly name: string = 'memory';

  /** @throws CachalotError that names the option, what was expected and what came */
  constructor(config: MemoryCacheStoreConfig = {}) {
    const { logger, ...rest } = given('MemoryCacheStore', config);
    super({ store: memory(rest), logger });
  }
}

export interface DynamoDBCacheStoreConfig {
  /** Of the table that would be used. */
  tableName: string;
  /** AWS region. @default none */
  region?: string | undefined;
  /** Another server than AWS's. @default none */
  endpoint?: string | undefined;
}

/** Not there yet: its constructor throws, and says what to use. It compiles, so that an application finds out which. */
export class DynamoDBCacheStore implements CacheStore {
  readonly name = 'dynamodb';

  /** @throws UnsupportedError always */
  constructor(_config: DynamoDBCacheStoreConfig) {
    throw unsupported();
  }

  get<T>(_key: string): Promise<T | undefined> {
    throw unsupported();
  }

  set<T>(_key: string, _value: T, _ttl: number): Promise<void> {
    throw unsupported();
  }

  del(_key: string): Promise<void> {
    throw unsupported();
  }
}

function unsupported(): UnsupportedError {
  return new UnsupportedError(
    `${CALLER}: DynamoDB is not supported yet and comes in a later release. Use new RedisCacheStore({ url }), or new CachalotStore({ store: memcached({ servers }) }) with memcached of "cachalot", meanwhile; on Lambda both need a VPC.`,
  );
}

function given<T extends object>(name: string, config: T): T {
  if (typeof config !== 'object' || config === null) {
    throw new ConfigError(`${CALLER}: ${name}: expected an object of options, got ${describe(config)}.`);
  }
  return config;
}
