/** Bentocache's contract over one store. Outages throw: Bentocache decides whether its callers see them. */

import { joinNamespace, spaceTag, tagsOf } from '../../cache/namespaces.js';
import { describe } from '../../options/check.js';
import { refused, requiredKey } from '../../shared/arguments.js';
import type { NativeStore } from '../../store/native-store.js';
import { currentTickets } from './operations.js';
import type { Hold } from './shared-resources.js';
import type { L2CacheDriver } from './types.js';

/** Its calls are Bentocache's, whichever function made it. */
const CALLER = 'CachalotDriver';

export class CachalotDriver implements L2CacheDriver {
  readonly type = 'l2';
  readonly #hold: Hold;
  /** Without a last `:`; empty at the root. */
  readonly #namespacePath: string;

  /** @internal */
  constructor(hold: Hold, namespacePath = '') {
    this.#hold = hold;
    this.#namespacePath = namespacePath;
  }

  get #store(): NativeStore {
    return this.#hold.store;
  }

  /**
   * A driver for the keys below `name` and a `:`, on the same store. The root reaches them too, as `name:key`.
   * @throws ConfigError on an empty name, or one more than 8 levels deep
   */
  namespace(name: string): CachalotDriver {
    return new CachalotDriver(this.#hold, joinNamespace(CALLER, this.#namespacePath, name));
  }

  /** @throws CachalotError (rejects) on an empty key, and if the store is away or too slow */
  async get(key: string): Promise<string | undefined> {
    const full = this.#full(key);
    const tickets = currentTickets();
    if (tickets === undefined) {
      return text(await this.#store.getText(full, false));
    }
    // Also of a value that is there: to Bentocache it may be old (its grace), and then a set follows.
    const { value, ticket } = await this.#store.read(full, true);
    // The last read counts: what is stored next was made after it.
    if (ticket === undefined) {
      tickets.delete(full);
    } else {
      tickets.set(full, ticket);
    }
    return text(value);
  }

  /** The value, and it is gone: of several callers at once, one has it. */
  async pull(key: string): Promise<string | undefined> {
    return text(await this.#store.take(this.#full(key)));
  }

  /**
   * @param ttl milliseconds; missing or 0 = for ever, as with Bentocache's own drivers; negative = store nothing and
   * leave no older value
   * @returns false with a negative ttl, and if a clear since `getOrSet` looked for it made it too old: nothing was stored
   */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const full = this.#full(key);
    const tickets = currentTickets();
    const ticket = tickets?.get(full);
    tickets?.delete(full);
    const life = lifetime(ttl);
    const stored = await this.#store.set(full, value, life, tagsOf(full), true, { ticket });
    // Of Bentocache's own drivers Redis's rejects a negative ttl and the database's stores an entry that is dead at once.
    return stored && life > 0;
  }

  /** Everything below this namespace, in one step however much that is. The root: everything of its prefix. */
  async clear(): Promise<void> {
    await this.#store.clear({ tags: [this.#namespacePath === '' ? '*' : spaceTag(this.#namespacePath)] });
  }

  /** @returns whether something was there */
  async delete(key: string): Promise<boolean> {
    const full = this.#full(key);
    // One batch, carried out in order.
    const [there] = await Promise.all([this.#store.has(full), this.#store.clear({ key: full })]);
    return there;
  }

  async deleteMany(keys: readonly string[]): Promise<boolean> {
    if (!Array.isArray(keys)) {
      throw refused(CALLER, 'keys', 'an array of strings', describe(keys));
    }
    const all = keys.map((key) => this.#full(key));
    await Promise.all(all.map((key) => this.#store.clear({ key })));
    return true;
  }

  /** Closes the store once nothing else holds it. Every later call rejects with `CACHALOT_CLOSED`. */
  async disconnect(): Promise<void> {
    await this.#hold.release();
  }

  #full(key: unknown): string {
    const checked = requiredKey(CALLER, key);
    return this.#namespacePath === '' ? checked : `${this.#namespacePath}:${checked}`;
  }
}

/** What a serializer made of a value is given back as it came, text or bytes. */
function text(value: string | Uint8Array | undefined): string | undefined {
  return value as string | undefined;
}

/** In milliseconds; 0 = store nothing. */
function lifetime(ttl: unknown): number {
  if (ttl === undefined || ttl === null || ttl === 0) {
    return Number.POSITIVE_INFINITY;
  }
  if (typeof ttl !== 'number' || Number.isNaN(ttl)) {
    throw refused(CALLER, 'ttl', 'a number of milliseconds', describe(ttl), 'Leave it out for ever');
  }
  return Math.max(0, ttl);
}
