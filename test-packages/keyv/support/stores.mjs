// The stores that Keyv is tested over, and adapters on them that are closed after each file.

import { randomUUID } from 'node:crypto';
import { memcached, memory, redis } from 'cachalot';
import { CachalotKeyv } from 'cachalot/keyv';
import { afterAll, inject } from 'vitest';

/** `given`: options of the store. */
export const STORES = {
  // One name, so that two adapters are two handles on one store, as two clients of a server are.
  memory: (given) => memory({ name: 'keyv', ...given }),
  redis: (given) => redis({ url: `redis://127.0.0.1:${inject('ports').redis}`, ...given }),
  memcached: (given) => memcached({ servers: [`127.0.0.1:${inject('ports').memcached}`], ...given }),
};

export const uniquePrefix = () => `t${randomUUID().slice(0, 13)}`;

/** Makes adapters on one prefix, and closes them when the file is through. */
export function adapters(store, prefix = uniquePrefix()) {
  const open = [];
  afterAll(() => Promise.all(open.map((adapter) => adapter.disconnect())));
  return (options, given) => {
    const adapter = new CachalotKeyv({ store: store(given), prefix, ...options });
    open.push(adapter);
    return adapter;
  };
}
