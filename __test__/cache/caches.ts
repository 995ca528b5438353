// Caches over every store, on prefixes of their own, closed after each test.

import { afterAll, afterEach, inject } from 'vitest';
import { type CacheOptions, createCache, memcached, memory, redis, type StoreSpec } from '../../js/index.js';
import { uniquePrefix } from '../contract/stores.js';

export interface SpecUnderTest {
  readonly name: string;
  readonly kind: StoreSpec['kind'];
  spec(prefix: string): StoreSpec;
}

/** The servers that the run shares, and process memory under a name: two caches on one prefix see the same. */
export function specs(): SpecUnderTest[] {
  const servers = inject('servers');
  return [
    { name: 'memory', kind: 'memory', spec: (prefix) => memory({ name: 'caches', prefix }) },
    { name: 'redis', kind: 'redis', spec: (prefix) => redis({ url: servers.redis.url, prefix }) },
    {
      name: 'redis without tracking',
      kind: 'redis',
      spec: (prefix) => redis({ url: servers.redis.url, prefix, tracking: false }),
    },
    {
      name: 'memcached, one server',
      kind: 'memcached',
      spec: (prefix) => memcached({ servers: servers.memcached.slice(0, 1), prefix }),
    },
    {
      name: 'memcached, three servers',
      kind: 'memcached',
      spec: (prefix) => memcached({ servers: servers.memcached, prefix }),
    },
  ];
}

/** Opens caches on one prefix a test. */
export function opener(store: SpecUnderTest) {
  const open: { close(): Promise<void> }[] = [];
  const closing: Promise<void>[] = [];
  let prefix = uniquePrefix();
  afterEach(() => {
    // A factory that hangs holds `close()` up for seconds: the next test need not wait for that.
    closing.push(...open.splice(0).map((cache) => cache.close()));
    prefix = uniquePrefix();
  });
  afterAll(() => Promise.all(closing));
  return (options: Omit<CacheOptions, 'store'> = {}) => {
    const cache = createCache({ store: store.spec(prefix), ...options });
    open.push(cache);
    return cache;
  };
}

/** A promise to settle by hand. */
export function gate<T = void>() {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
