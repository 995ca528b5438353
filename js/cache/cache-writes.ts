/** The writing methods of `Cache`: values, deletions, tags. */

import { describe } from '../options/check.js';
import { entriesOf, keyOf, keysOf, options, refused, SET, SET_FOREVER, tagsToClear } from './arguments.js';
import { CacheReads } from './cache-reads.js';
import type { DeleteManyOptions, SetForeverOptions, SetOptions, TagsOptions } from './types.js';
import { clearNamespace, clearTags, expire, inSlices, prepared, remove, write } from './write.js';

/** How every `Cache` writes. */
export abstract class CacheWrites extends CacheReads {
  /**
   * Replaces value, tags and lifetimes of the key together.
   * @returns false in an outage, or if a clear since the miss that it follows made the data too old: nothing was stored
   * @throws ConfigError (rejects) on a value that the serializer cannot represent; nothing was stored
   * @throws TooLargeError (rejects) on a value over the store's limit; no older value is left
   * @example
   * await cache.set({ key: 'product:1', value: product, ttl: '10m', tags: ['product'] });
   */
  async set<T>(given: SetOptions<T>): Promise<boolean> {
    return this.store('set', options<SetOptions<unknown>>('set', given, SET));
  }

  /**
   * The same as `set`.
   * @example
   * await cache.put({ key: 'product:1', value: product });
   */
  async put<T>(given: SetOptions<T>): Promise<boolean> {
    return this.store('put', options<SetOptions<unknown>>('put', given, SET));
  }

  /**
   * `set` without an end.
   * @example
   * await cache.setForever({ key: 'countries', value: ['is', 'no'] });
   */
  async setForever<T>(given: SetForeverOptions<T>): Promise<boolean> {
    const asked = options<SetForeverOptions<unknown>>('setForever', given, SET_FOREVER);
    return this.store('setForever', { ...asked, ttl: null });
  }

  /**
   * Stores several values in one request. All are checked before any is stored.
   * @returns true if all are stored
   * @example
   * await cache.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, ttl: '1h' }]);
   */
  async setMany(
    given: readonly SetOptions<unknown>[] | { entries: readonly SetOptions<unknown>[] },
  ): Promise<boolean> {
    this.core.open();
    const entries = entriesOf('setMany', given);
    const writes = entries.map((entry, at) => {
      const method = `setMany: entries[${at}]`;
      return prepared(
        this.core,
        this.namespacePath,
        method,
        options<SetOptions<unknown>>(method, entry, SET),
      );
    });
    const stored = await inSlices(this.core, writes, (some) =>
      Promise.all(some.map((one) => write(this.core, 'setMany', one))),
    );
    return stored.flat().every(Boolean);
  }

  /**
   * Makes the value stale: from now on it is served only within its grace. Without grace it is deleted.
   * @example
   * await cache.expire('product:1');
   */
  async expire(given: string | { key: string }): Promise<boolean> {
    return expire(this.core, this.full('expire', keyOf('expire', given)));
  }

  /**
   * Removes a value.
   * @returns whether a value was there; in an outage false, and the deletion is replayed after it
   * @example
   * await cache.delete('product:1');
   */
  async delete(given: string | { key: string }): Promise<boolean> {
    return remove(this.core, 'delete', [this.full('delete', keyOf('delete', given))]);
  }

  /**
   * Removes several values in one request.
   * @returns whether any value was there
   * @example
   * await cache.deleteMany(['product:1', 'product:2']);
   */
  async deleteMany(given: readonly string[] | DeleteManyOptions): Promise<boolean> {
    const keys = keysOf('deleteMany', given).map((one) => this.full('deleteMany', one));
    return keys.length > 0 && remove(this.core, 'deleteMany', keys);
  }

  /**
   * Removes every value that carries one of the tags, in whatever namespace. It costs the same for one value or a million.
   * @returns false in an outage: it is replayed
   * @example
   * await cache.deleteByTag(['product']);
   */
  async deleteByTag(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'deleteByTag', tagsToClear('deleteByTag', given), false);
  }

  /**
   * The same as `deleteByTag`.
   * @example
   * await cache.deleteByTags({ tags: ['product', 'price'] });
   */
  async deleteByTags(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'deleteByTags', tagsToClear('deleteByTags', given), false);
  }

  /**
   * Makes every value that carries one of the tags stale; those without grace are gone.
   * @example
   * await cache.expireByTag(['product']);
   */
  async expireByTag(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'expireByTag', tagsToClear('expireByTag', given), true);
  }

  /**
   * The same as `expireByTag`.
   * @example
   * await cache.expireByTags(['product']);
   */
  async expireByTags(given: readonly string[] | TagsOptions): Promise<boolean> {
    return clearTags(this.core, 'expireByTags', tagsToClear('expireByTags', given), true);
  }

  /**
   * Removes everything of this namespace and of those under it; at the root, everything of the prefix.
   * @returns false in an outage: it is replayed
   * @example
   * await cache.namespace('products').clear();
   */
  async clear(...given: undefined[]): Promise<boolean> {
    // Other caches' clear takes tags or a prefix: without a word of warning everything would be gone.
    if (given.some((one) => one !== undefined)) {
      throw refused(
        'clear',
        'options',
        'none',
        describe(given[0]),
        'Use deleteByTag({ tags }) or namespace(name).clear()',
      );
    }
    return clearNamespace(this.core, this.namespacePath);
  }

  private async store(method: string, given: SetOptions<unknown>): Promise<boolean> {
    const ready = prepared(this.core, this.namespacePath, method, given);
    this.core.open();
    return write(this.core, method, ready);
  }
}
