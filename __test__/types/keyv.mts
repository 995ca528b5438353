// The adapter for Keyv, for ES modules. Nothing here runs.

import { memcached, memory, redis } from 'cachalot';
import CachalotKeyv, { type CachalotKeyvOptions, createKeyv, CachalotKeyv as Named } from 'cachalot/keyv';
import { Keyv, type KeyvStoreAdapter } from 'keyv';

const store = redis({ url: 'redis://127.0.0.1:6379' });
const every: Required<CachalotKeyvOptions> = {
  store,
  prefix: 'shop',
  namespace: 'users',
  useKeyPrefix: false,
  throwOnErrors: true,
  guardSets: true,
  logger: { log() {} },
};

export const adapters: KeyvStoreAdapter[] = [new CachalotKeyv(every), new Named({ store: memory() })];
export const keyvs: Keyv[] = [
  new Keyv({ store: new CachalotKeyv({ store: memcached() }), namespace: 'users' }),
  createKeyv({ store, prefix: undefined, namespace: undefined, ttl: 60_000 }),
  createKeyv({ store, ttl: '60s' }),
  createKeyv('redis://127.0.0.1:6379', { namespace: 'users', useUnlink: true, ttl: '60s' }),
  new Keyv({ store: new CachalotKeyv('redis://127.0.0.1:6379', { namespace: 'users' }) }),
];

export async function use(cache: CachalotKeyv): Promise<boolean> {
  cache.on('error', (error) => error.message).on('connected', ({ server }) => server);
  const found: number | undefined = await cache.get<number>('k');
  const many: Array<number | undefined> = await cache.getMany<number>(['k', 'l']);
  const set: boolean[] = await cache.setMany([{ key: 'k', value: found, ttl: 1_000 }]);
  // @ts-expect-error a key is text
  await cache.get(5);
  // @ts-expect-error many are a list
  await cache.getMany('k');
  await cache.set('k', 1, '5 minutes');
  await cache.setMany([{ key: 'k', value: 1, ttl: '5m' }]);
  // @ts-expect-error a number in quotes: seconds or milliseconds?
  await cache.set('k', 1, '300');
  // @ts-expect-error a unit that does not exist
  await cache.setMany([{ key: 'k', value: 1, ttl: '5 parsecs' }]);
  // @ts-expect-error an entry has a key
  await cache.setMany([{ value: 1 }]);
  // @ts-expect-error Keyv's namespace is text
  cache.namespace = 5;
  return many.length === set.length && (await cache.delete('k'));
}

// @ts-expect-error a store is no URL
new CachalotKeyv({ store: 'redis://127.0.0.1:6379' });
// @ts-expect-error a store is required
new CachalotKeyv({});
// @ts-expect-error an unknown option
new CachalotKeyv({ store, prefx: 'shop' });
// @ts-expect-error a number in quotes says no unit
createKeyv({ store, ttl: '60' });
// @ts-expect-error what createKeyv decides itself
createKeyv({ store, useKeyPrefix: true });
