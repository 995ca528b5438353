// What an application that calls a cache directly compiles against.

import {
  type Cache,
  type CacheLike,
  type CacheStats,
  createCache,
  type Duration,
  type Factory,
  type L1Options,
  memcached,
  memory,
  type Serializer,
} from 'cachalot';

interface User {
  id: number;
  name: string;
}

const cache: Cache = createCache({
  store: memory(),
  ttl: '5m',
  grace: '2 hours',
  timeout: 0,
  errors: 'throw',
});
createCache({ store: memory(), l1: true });
createCache({ store: memory(), l1: { maxBytes: 1_000_000, ttl: '30s', share: true } satisfies L1Options });
// @ts-expect-error a bare number in quotes says no unit
createCache({ store: memory(), l1: { ttl: '30' } });
// @ts-expect-error no such option
createCache({ store: memory(), l1: { max: 5 } });
const structured = createCache({ store: memcached({ servers: ['h:11211'] }), serializer: 'structured' });

export async function reading(): Promise<void> {
  const user: User | undefined = await cache.get<User>('user:1');
  const sure: User = await cache.get({ key: 'user:1', defaultValue: { id: 0, name: '' } });
  const many: (User | undefined)[] = await cache.getMany<User>(['a', 'b']);
  const pulled: string | undefined = await cache.pull<string>({ key: 'token' });
  const made: User = await cache.getOrSet({
    key: 'user:1',
    ttl: null,
    grace: false,
    tags: ['users'],
    factory: async ({ signal, setTags, staleEntry }) => {
      setTags(['users', `user:${(staleEntry?.value as User | undefined)?.id}`]);
      return { id: signal.aborted ? 0 : 1, name: 'Ada' };
    },
  });
  // With and without a context the type is that of what the factory makes.
  const inferred = await cache.getOrSet({
    key: 'k',
    factory: async ({ setTtl }) => {
      setTtl('5m');
      return { n: 1 };
    },
  });
  const counted = await cache.wrap('w', '1m', (context) => {
    context.setTags([]);
    return 1;
  });
  const n: number = inferred.n + counted;
  await cache.setMany([
    { key: 'a', value: 1 },
    { key: 'b', value: 'x', ttl: '1m' },
  ]);
  // @ts-expect-error no value
  await cache.setMany([{ key: 'a' }]);
  await structured.setMany([
    { key: 'a', value: 1n },
    { key: 'b', value: undefined },
  ]);
  const users: User[] = [sure, made];
  await cache.setMany(users.map((value) => ({ key: `user:${value.id}`, value })));
  await cache.setMany([
    { key: 'a', value: new Date() },
    { key: 'b', value: [made, null, { deep: [true] }] },
    { key: 'c', value: null },
    { key: 'd', value: JSON.parse('{}') },
  ]);
  // @ts-expect-error a namespace is cleared by its own handle
  await cache.clear({ tags: ['x'] });
  const wrapped: number = await cache.wrap('n', '1m', () => 1);
  const revalidated: string = await cache.namespace('s').wrapSWR('k', 1000, '1h', async () => 'x');
  const stored: boolean = await cache.set({ key: 'user:1', value: user ?? null });
  await cache.set({ key: 'd', value: new Date() });
  await structured.set({ key: 'b', value: { n: 1n } });
  await structured.set({ key: 'u', value: undefined });
  // @ts-expect-error the value is of the factory's type
  const wrong: string = made;
  // @ts-expect-error a miss is undefined
  const certain: User = await cache.get<User>('user:1');
  return void [n, sure, many, pulled, wrapped, revalidated, stored, wrong, certain];
}

// A function may ask for a cache of whatever serializer.
export const either: [Cache<unknown>, Cache] = [cache, structured];

// What wraps a cache needs not know what is cached.
export const cached = <T,>(key: string, make: () => Promise<T>): Promise<T> =>
  cache.getOrSet({ key, factory: make });
export const store = <T,>(value: T): Promise<boolean> => cache.set({ key: 'k', value });
export const put = <T,>(value: T): Promise<boolean> => cache.put({ key: 'k', value });
export const keep = <T,>(value: T): Promise<boolean> => cache.setForever({ key: 'k', value });
export const storeAll = <T,>(values: Map<string, T>): Promise<boolean> =>
  cache.setMany([...values].map(([key, value]) => ({ key, value })));

interface Order {
  id: number;
  placed: Date;
  total: { amount: bigint; toJSON(): string };
  lines: readonly [first: { at: Date | null }, ...rest: { note?: string }[]];
  parent?: Order;
  cancel(): void;
  extra: unknown;
}
declare const order: Order;

/** What was a way through JSON has the types that it has then; what needs none, its own. */
export async function throughJson(): Promise<void> {
  const made = await cache.getOrSet({ key: 'o', factory: async () => order });
  const placed: string = made.placed;
  const total: string = made.total;
  const at: string | null = made.lines[0].at;
  const note: string | undefined = made.lines[1]?.note;
  const parent: string | undefined = made.parent?.parent?.placed;
  const extra: unknown = made.extra;
  // @ts-expect-error it is a string
  made.placed.getTime();
  // @ts-expect-error methods are not stored
  made.cancel();
  // @ts-expect-error it is a string
  (await cache.wrap('o', '1m', () => order)).placed.getTime();
  // @ts-expect-error it is a string
  (await cache.wrapSWR('o', '1m', '2m', () => order)).placed.getTime();
  // @ts-expect-error it is a string
  (await cache.getOrSetForever({ key: 'o', factory: () => order })).placed.getTime();
  // @ts-expect-error a string is no number, whatever it is assigned to
  const wrong: number = await cache.getOrSet({ key: 'o', factory: () => 'x' });
  const same: Date = (await structured.getOrSet({ key: 'o', factory: () => order })).placed;
  const user: User = await cache.getOrSet({ key: 'u', factory: (): User => ({ id: 1, name: 'Ada' }) });
  const list: User[] = await cache.getOrSet({ key: 'u', factory: async (): Promise<User[]> => [user] });
  const maybe: User | null | undefined = await cache.getOrSet({
    key: 'u',
    factory: async (): Promise<User | null | undefined> => user,
  });
  const any: { whatever: number } = await cache.getOrSet({ key: 'j', factory: () => JSON.parse('{}') });
  const union = await cache.getOrSet({ key: 'x', factory: (): 'a' | 1 | { kind: 'b'; at: Date } => 'a' });
  const kind: 'b' | undefined = typeof union === 'object' ? union.kind : undefined;
  return void [placed, total, at, note, parent, extra, wrong, same, list, maybe, any, kind];
}

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
declare const json: Json;
declare class Tree {
  constructor(at: Date);
  id: string & { readonly __brand: 'id' };
  children: Tree[];
  seen: Record<string, Date>;
  at?: Date;
  walk(): void;
}
type Nested<N extends number, Far extends unknown[] = []> = Far['length'] extends N
  ? Date
  : { next: Nested<N, [...Far, 0]> };

/** Types that name themselves have an end, and are usable. */
export async function recursive(): Promise<void> {
  const same: Json = await cache.getOrSet({ key: 'j', factory: () => json });
  const tree = await cache.getOrSet({ key: 't', factory: () => new Tree(new Date()) });
  const id: string & { readonly __brand: 'id' } = tree.id;
  const at: string | undefined = tree.children[0]?.children[0]?.at ?? tree.seen.x;
  const far = await cache.getOrSet({ key: 'f', factory: (): Nested<30> => null as never });
  return void [same, id, at, far.next.next];
}

export async function writing(): Promise<void> {
  // @ts-expect-error no value
  await cache.set({ key: 'k' });
  // @ts-expect-error a unit that does not exist
  await cache.set({ key: 'k', value: 1, ttl: '5 parsecs' });
  // @ts-expect-error a number in quotes: seconds or milliseconds?
  await cache.set({ key: 'k', value: 1, ttl: '300' });
  // @ts-expect-error for ever is null
  await cache.set({ key: 'k', value: 1, ttl: false });
  // @ts-expect-error an unknown option
  await cache.set({ key: 'k', value: 1, tag: 'x' });
  // @ts-expect-error tags are a list
  await cache.set({ key: 'k', value: 1, tags: 'x' });
  // @ts-expect-error a key is a string
  await cache.delete(1);
  // @ts-expect-error tags are a list
  await cache.deleteByTag({ tags: 'x' });
  // @ts-expect-error no factory
  await cache.getOrSet({ key: 'k' });
  // @ts-expect-error a wrong duration
  await cache.wrapSWR('k', 'soon', '1h', () => 1);
}

// @ts-expect-error no store
createCache({});
// @ts-expect-error a store is made by a factory
createCache({ store: 'redis://127.0.0.1:6379' });
// @ts-expect-error an unknown option
createCache({ store: memory(), defaultTtl: 5 });
// @ts-expect-error an unknown serializer
createCache({ store: memory(), serializer: 'yaml' });
// @ts-expect-error a serializer has two functions
createCache({ store: memory(), serializer: { serialize: () => '' } });

export const own: Serializer = { serialize: (value) => String(value), deserialize: (stored) => `${stored}` };
export const factory: Factory<number> = (context) => context.skip() ?? 1;
export const durations: Duration[] = [5, '5m', '1.5 hours', '250ms'];
export const stats: CacheStats = cache.stats();
export const stop: () => void = cache.on('error', ({ error, queued }) => [error.code, queued]);
// @ts-expect-error an unknown event
cache.on('hits', () => {});

// A function that asks for what it uses takes a cache and a fake.
export async function userOf(users: CacheLike, id: number): Promise<User | undefined> {
  return users.namespace('users').get<User>(`${id}`);
}
declare const methods: { [Name in keyof Cache]: Cache[Name] };
export const fake: CacheLike = { ...methods, namespace: () => fake };
export const found = [userOf(cache, 1), userOf(fake, 1)];
// @ts-expect-error a cache is more than its methods
export const real: Cache = methods;
