// The stores that a CacheService is tested over: ours, and one that a user wrote.

import { afterEach, inject } from 'vitest';
import { CachalotStore, type CacheStore } from '../../js/adapters/glasswork/index.js';
import { memcached, memory, redis } from '../../js/options/config.js';
import type { CacheLogger } from '../../js/shared/logger.js';
import { uniquePrefix } from '../contract/stores.js';

/** Glasswork's interface as its guide has it, over a Map: what a user's own store looks like. */
export class UsersStore implements CacheStore {
  readonly name = 'users';
  readonly entries = new Map<string, { json: string; until: number }>();

  async get<T>(key: string): Promise<T | undefined> {
    const found = this.entries.get(key);
    return found === undefined || found.until <= Date.now() ? undefined : (JSON.parse(found.json) as T);
  }

  async set<T>(key: string, value: T, ttl: number): Promise<void> {
    this.entries.set(key, { json: JSON.stringify(value), until: Date.now() + ttl * 1000 });
  }

  async del(key: string): Promise<void> {
    this.entries.delete(key);
  }

  async delByPattern(pattern: string): Promise<number> {
    const head = pattern.replace(/\*$/, '');
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(head));
    for (const key of keys) this.entries.delete(key);
    return keys.length;
  }
}

export interface Lines {
  logger: CacheLogger;
  lines: string[];
}

export function recorder(): Lines {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return { lines, logger: { debug: () => {}, info: at('info'), warn: at('warn'), error: at('error') } };
}

export interface StoreUnderTest<Store extends CacheStore = CacheStore> {
  name: string;
  /** A handle on a store of this test's own; a second one is a second client of it. */
  open(logger?: CacheLogger): Store;
}

/** Closes what was opened after each test, and takes a new prefix for the next. */
export function ownStores(): StoreUnderTest<CachalotStore>[] {
  const servers = inject('servers');
  const open: CachalotStore[] = [];
  let prefix = uniquePrefix();
  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.close()));
    prefix = uniquePrefix();
  });
  const specs = {
    memory: () => memory({ name: prefix }),
    redis: () => redis({ url: servers.redis.url }),
    memcached: () => memcached({ servers: servers.memcached }),
  };
  return Object.entries(specs).map(([name, spec]) => ({
    name,
    open: (logger = {}) => {
      const store = new CachalotStore({ store: spec(), prefix, logger });
      open.push(store);
      return store;
    },
  }));
}

/** Ours, and a user's own. */
export function allStores(): StoreUnderTest[] {
  let users = new UsersStore();
  afterEach(() => {
    users = new UsersStore();
  });
  return [...ownStores(), { name: 'a store of the user’s own', open: () => users }];
}
