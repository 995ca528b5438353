// Registered as Glasswork's guide has it, and held against Glasswork's interfaces written out as types.

import { join } from 'node:path';
import { afterEach, describe, expect, expectTypeOf, inject, it } from 'vitest';
import {
  type CachalotStore,
  type CacheEntry,
  CacheService,
  type CacheStore,
  MemoryCacheStore,
} from '../js/adapters/glasswork/index.js';
import { runNode } from './support/processes.js';

/** Glasswork's own. */
interface GlassworkCacheStore {
  readonly name: string;
  get<T>(key: string): Promise<T | undefined>;
  set<T>(key: string, value: T, ttl: number): Promise<void>;
  del(key: string): Promise<void>;
  delByPattern?(pattern: string): Promise<number | undefined>;
  has?(key: string): Promise<boolean>;
  clear?(): Promise<void>;
}

interface GlassworkCacheService {
  get<T>(key: string): Promise<T | undefined>;
  getWithMetadata<T>(key: string): Promise<{ value: T; cachedAt: number } | undefined>;
  set<T>(key: string, value: T, ttl?: number): Promise<void>;
  del(key: string): Promise<void>;
  has(key: string): Promise<boolean>;
  wrap<T>(key: string, ttl: number | undefined, fn: () => Promise<T>): Promise<T>;
  wrapSWR<T>(key: string, staleTTL: number, maxTTL: number, fn: () => Promise<T>): Promise<T>;
  delByPattern(pattern: string): Promise<number | undefined>;
}

type Class<T> = new (container: never) => T;
interface FactoryProvider {
  provide: string | Class<unknown> | (new (...args: never[]) => unknown);
  useFactory: (container: never) => unknown;
  inject?: string[];
  scope?: 'SINGLETON' | 'SCOPED' | 'TRANSIENT';
}
interface ModuleConfig {
  name: string;
  providers: Array<FactoryProvider | Class<unknown>>;
  exports?: unknown[];
}
const defineModule = (config: ModuleConfig): ModuleConfig => config;

/** What Awilix does in its PROXY mode, for singletons. */
function bootstrap(module: ModuleConfig): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  const nameOf = (provide: FactoryProvider['provide']) =>
    typeof provide === 'string' ? provide : provide.name.replace(/^./, (letter) => letter.toLowerCase());
  const container: Record<string, unknown> = new Proxy(made, {
    get(_, name: string) {
      const provider = module.providers.find((one) =>
        typeof one === 'function' ? nameOf(one) === name : nameOf(one.provide) === name,
      );
      if (provider === undefined) throw new Error(`Could not resolve '${name}'.`);
      if (!(name in made)) {
        made[name] =
          typeof provider === 'function'
            ? new provider(container as never)
            : provider.useFactory(container as never);
      }
      return made[name];
    },
  });
  return container;
}

const open: CachalotStore[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
});

describe('defineModule', () => {
  it('registers the store and the service, and injects them by their names', async () => {
    class UserService {
      readonly #cache: CacheService;
      constructor({ cacheService }: { cacheService: CacheService }) {
        this.#cache = cacheService;
      }
      find(id: string): Promise<{ id: string }> {
        return this.#cache.wrap(`user:${id}`, 300, async () => ({ id }));
      }
    }
    const AppModule = defineModule({
      name: 'app',
      providers: [
        { provide: 'cacheStore', useFactory: () => new MemoryCacheStore({ logger: {} }) },
        {
          provide: CacheService,
          useFactory: ({ cacheStore }: { cacheStore: CacheStore }) =>
            new CacheService(cacheStore, { defaultTTL: 300, keyPrefix: 'app' }),
          inject: ['cacheStore'],
        },
        UserService,
      ],
      exports: [CacheService],
    });
    const container = bootstrap(AppModule);
    const users = container.userService as UserService;
    const store = container.cacheStore as MemoryCacheStore;
    open.push(store);
    expect(await users.find('123')).toEqual({ id: '123' });
    expect(container.cacheService).toBeInstanceOf(CacheService);
    expect(await store.get('app:user:123')).toEqual({ id: '123' });
  });

  it('works behind a Proxy', async () => {
    const store = new MemoryCacheStore({ logger: {} });
    open.push(store);
    const cache = new Proxy(new CacheService(new Proxy(store, {}), { defaultTTL: 60 }), {});
    expect(await cache.wrap('k', async () => 1)).toBe(1);
    expect(await new Proxy(store, {}).get('k')).toBe(1);
  });
});

it('the types are those of Glasswork', () => {
  expectTypeOf<CachalotStore>().toExtend<GlassworkCacheStore>();
  expectTypeOf<GlassworkCacheStore>().toExtend<CacheStore>();
  expectTypeOf<CacheService>().toExtend<GlassworkCacheService>();
  expectTypeOf<CacheEntry<string>>().toEqualTypeOf<{ value: string; cachedAt: number }>();
});

const { redis, memcached } = inject('servers');
it.each<[string, Record<string, string>]>([
  ['memory', {}],
  ['redis', { REDIS_URL: redis.url }],
  ['memcached', { MEMCACHED_SERVER: memcached[0] ?? '' }],
])('examples/glasswork runs on %s', async (_, env) => {
  const { code, stdout } = await runNode(join(__dirname, '../examples/glasswork/main.mjs'), { env });
  expect({ code, lines: stdout.trim().split('\n') }).toEqual({
    code: 0,
    lines: [
      'Ten requests at once ask for one user:',
      '  user 123 is read from the database',
      '  all got Ada',
      'The user is renamed:',
      '  user 123 is read from the database',
      '  the next request gets Grace',
      'Flags that are stale are served while new ones are fetched:',
      '  flags are fetched',
      '  version 1',
      '  version 1',
      '  flags are fetched',
      '  version 2',
    ],
  });
});
