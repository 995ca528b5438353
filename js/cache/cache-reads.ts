/** The reading methods of `Cache`. */

import { fullKey, GET, keyOf, keysOf } from './arguments.js';
import type { Core } from './core.js';
import { localHit as fromL1, read, readMany } from './read.js';
import type { GetOptions } from './types.js';
import { inSlices, pull } from './write.js';

/** What every `Cache` has, and how it reads. */
export abstract class CacheReads {
  // Not #private: a cache may be handed out behind a Proxy, through which #fields cannot be reached.
  /** @internal */
  protected readonly core: Core;
  /** @internal Without a last `:`; empty at the root. */
  protected readonly namespacePath: string;

  protected constructor(core: Core, namespacePath: string) {
    this.core = core;
    this.namespacePath = namespacePath;
  }

  /**
   * Reads a value.
   * @returns the fresh value, or `undefined` (or `defaultValue`) if there is none, and in an outage
   * @throws CachalotError (rejects) in an outage with `errors: 'throw'`
   * @example
   * const product = await cache.get<Product>('product:1');
   */
  async get<T = unknown>(key: string): Promise<T | undefined>;
  async get<T = unknown>(options: GetOptions<T> & { defaultValue: T }): Promise<T>;
  async get<T = unknown>(options: GetOptions<T>): Promise<T | undefined>;
  async get(given: string | GetOptions<unknown>): Promise<unknown> {
    if (typeof given === 'string') {
      // Before it is checked: what is kept was asked for before.
      const localHit = fromL1(
        this.core,
        this.namespacePath === '' ? given : `${this.namespacePath}:${given}`,
      );
      if (localHit !== undefined) {
        return localHit;
      }
    }
    const full = this.full('get', keyOf('get', given, GET));
    // Not by `attempt`: this is the most frequent call, and a function and a promise more are a third of its time.
    this.core.open();
    let value: unknown;
    try {
      value = await read(this.core, full);
    } catch (error) {
      this.core.reportError('get', error);
    }
    return value === undefined && typeof given === 'object' ? given.defaultValue : value;
  }

  /**
   * Reads several values in one request.
   * @returns a value or `undefined` for each key, in order
   * @example
   * const [one, two] = await cache.getMany<Product>(['product:1', 'product:2']);
   */
  async getMany<T = unknown>(
    given: readonly string[] | { keys: readonly string[] },
  ): Promise<(T | undefined)[]> {
    const keys = keysOf('getMany', given).map((one) => this.full('getMany', one));
    const values = await inSlices(this.core, keys, (some) => readMany(this.core, some));
    return values.flat() as (T | undefined)[];
  }

  /**
   * Whether there is a fresh value. A set after it is not guarded by it: that is what `get` is for.
   * @example
   * if (await cache.has('product:1')) console.log('cached');
   */
  async has(given: string | { key: string }): Promise<boolean> {
    const full = this.full('has', keyOf('has', given));
    return this.core.attempt(
      'has',
      false,
      async () => this.core.store.localCache?.has(full) || this.core.store.has(full),
    );
  }

  /**
   * The opposite of `has`; true in an outage.
   * @example
   * if (await cache.missing('product:1')) console.log('not cached');
   */
  async missing(given: string | { key: string }): Promise<boolean> {
    return !(await this.has(given));
  }

  /**
   * Gets and deletes: of many that ask at once, in any process, one gets the value.
   * @example
   * const token = await cache.pull<string>('token:42');
   */
  async pull<T = unknown>(given: string | { key: string }): Promise<T | undefined> {
    const full = this.full('pull', keyOf('pull', given));
    return pull(this.core, full) as Promise<T | undefined>;
  }

  /** @internal */
  protected full(method: string, name: string): string {
    return fullKey(method, this.namespacePath, name);
  }
}
