// Glasswork's cache. Nothing here runs: what must fail is marked.

import { memcached, redis } from 'cachalot';
import {
  CachalotStore,
  type CacheConfig,
  type CacheEntry,
  type CacheKeyFactory,
  CacheService,
  type CacheStore,
  createCacheKey,
  DynamoDBCacheStore,
  MemoryCacheStore,
  RedisCacheStore,
} from 'cachalot/glasswork';

interface User {
  id: string;
  name: string;
}

const stores: CacheStore[] = [
  new RedisCacheStore({ url: 'redis://127.0.0.1:6379', options: { connectTimeout: 500 } }),
  new CachalotStore({ store: memcached({ servers: ['127.0.0.1:11211'] }), prefix: 'shop' }),
  new DynamoDBCacheStore({ tableName: 'cache', region: 'eu-central-1' }),
];
export const config: CacheConfig = { defaultTTL: 300, keyPrefix: 'app' };
const cache = new CacheService(new MemoryCacheStore(), config);
export const services = stores.map(
  (store) => new CacheService(store, { defaultTTL: 300, keyPrefix: undefined }),
);

const userKey = createCacheKey<User>('user', (id: string) => `user:${id}`);
const strictKey = createCacheKey<User, [id: string]>('user', (id) => `user:${id}`);
const flagsKey: CacheKeyFactory<{ rollout: number }> = createCacheKey<{ rollout: number }>(
  'flags',
  () => 'flags',
);

declare function fetchUser(id: string): Promise<User>;

export async function typed(): Promise<string> {
  await cache.set(userKey('123'), { id: '123', name: 'Ada' });
  const user = await cache.get(userKey('123'));
  const entry: CacheEntry<User> | undefined = await cache.getWithMetadata(strictKey('123'));
  const flags: { rollout: number } | undefined = await cache.get(flagsKey);
  const wrapped: User = await cache.wrap(userKey('123'), 600, () => fetchUser('123'));
  const byDefault: User = await cache.wrap(userKey('123'), () => fetchUser('123'));
  const explicit: User = await cache.wrap(userKey('123'), undefined, () => fetchUser('123'));
  const swr: User = await cache.wrapSWR(userKey('123'), 60, 300, () => fetchUser('123'));
  const plain: number = await cache.wrap('answer', 60, async () => 42);
  const named = await cache.get<User>('user:123');
  const unknown: unknown = await cache.get('user:123');
  const count: number | undefined = await cache.delByPattern('user:*');
  await cache.del(userKey('123'));
  const there: boolean = await cache.has(flagsKey);
  void [entry, flags, explicit, swr, plain, unknown, count, there];
  // @ts-expect-error it may be undefined
  user.name;
  // @ts-expect-error so may this
  named.name;
  return (user?.name ?? wrapped.name) + byDefault.id;
}

export async function wrong(): Promise<void> {
  // @ts-expect-error a value of another type
  await cache.set(userKey('123'), 42);
  // @ts-expect-error a property is missing
  await cache.set(userKey('123'), { id: '123' });
  // @ts-expect-error a function that makes another type
  await cache.wrap(userKey('123'), 600, async () => 42);
  // @ts-expect-error a ttl is a number of seconds
  await cache.set(userKey('123'), { id: '1', name: 'Ada' }, '5m');
  // @ts-expect-error a ttl is a number of seconds
  await cache.wrap('k', '5m', async () => 1);
  // @ts-expect-error a maxTTL is missing
  await cache.wrapSWR('k', 60, async () => 1);
  // @ts-expect-error nothing makes the value
  await cache.wrap('k', 60);
  // @ts-expect-error a key is a string
  await cache.get(7);
  // @ts-expect-error this factory needs an id
  await cache.get(strictKey);
  // @ts-expect-error an id is a string
  strictKey(7);
  // @ts-expect-error flags are no user
  const user: User | undefined = await cache.get(flagsKey);
  void user;
}

// @ts-expect-error a defaultTTL is required
new CacheService(new MemoryCacheStore(), { keyPrefix: 'app' });
// @ts-expect-error an unknown option
new CacheService(new MemoryCacheStore(), { defaultTTL: 300, prefix: 'app' });
// @ts-expect-error a defaultTTL is a number of seconds
new CacheService(new MemoryCacheStore(), { defaultTTL: '5m' });
// @ts-expect-error a description is no store
new CacheService(redis({ url: 'redis://h' }), { defaultTTL: 300 });
// @ts-expect-error no url
new RedisCacheStore({});
// A name of ioredis without a meaning here is ignored.
new RedisCacheStore({ url: 'redis://h', options: { maxRetriesPerRequest: 3 } });
// @ts-expect-error a store is a description
new CachalotStore({ store: 'redis://h' });
// @ts-expect-error a ttl is required
new MemoryCacheStore().set('k', 1);
