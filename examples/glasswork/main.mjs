// Glasswork's cache with its module registration, and two services that cache by it.
//
//   node examples/glasswork/main.mjs          in process memory; REDIS_URL or MEMCACHED_SERVER for a server

import { setTimeout as sleep } from 'node:timers/promises';
import { memcached } from 'cachalot';
import {
  CachalotStore,
  CacheService,
  createCacheKey,
  MemoryCacheStore,
  RedisCacheStore,
} from 'cachalot/glasswork';
import { defineModule, resolve } from './container.mjs';

const { REDIS_URL, MEMCACHED_SERVER } = process.env;
const prefix = 'glasswork-example';

function openStore() {
  if (REDIS_URL) return new RedisCacheStore({ url: REDIS_URL, prefix });
  // Glasswork has no store for memcached; this one is like the others.
  if (MEMCACHED_SERVER)
    return new CachalotStore({ store: memcached({ servers: [MEMCACHED_SERVER] }), prefix });
  return new MemoryCacheStore({ prefix });
}

const userKey = createCacheKey('user', (id) => `user:${id}`);
const flagsKey = createCacheKey('flags', () => 'flags:current');

class UserService {
  #cache;
  names = new Map([['123', 'Ada']]);

  constructor({ cacheService }) {
    this.#cache = cacheService;
  }

  find(id) {
    return this.#cache.wrap(userKey(id), 600, async () => {
      console.log(`  user ${id} is read from the database`);
      return { id, name: this.names.get(id) };
    });
  }

  async rename(id, name) {
    this.names.set(id, name);
    await this.#cache.del(userKey(id));
  }
}

class FlagService {
  #cache;
  #version = 0;

  constructor({ cacheService }) {
    this.#cache = cacheService;
  }

  // Fresh for 0.2 seconds, served for 300 while new ones are fetched behind.
  flags() {
    return this.#cache.wrapSWR(flagsKey, 0.2, 300, async () => {
      console.log('  flags are fetched');
      return { version: ++this.#version };
    });
  }
}

export const AppModule = defineModule({
  name: 'app',
  providers: [
    { provide: 'cacheStore', useFactory: openStore },
    {
      provide: CacheService,
      useFactory: ({ cacheStore }) => new CacheService(cacheStore, { defaultTTL: 300, keyPrefix: 'app' }),
      inject: ['cacheStore'],
    },
    UserService,
    FlagService,
  ],
  exports: [CacheService],
});

const { cacheStore, cacheService, userService, flagService } = resolve(AppModule);
await cacheService.delByPattern('*');

console.log('Ten requests at once ask for one user:');
const found = await Promise.all(Array.from({ length: 10 }, () => userService.find('123')));
console.log(`  all got ${found[0].name}`);

console.log('The user is renamed:');
await userService.rename('123', 'Grace');
console.log(`  the next request gets ${(await userService.find('123')).name}`);

console.log('Flags that are stale are served while new ones are fetched:');
console.log(`  version ${(await flagService.flags()).version}`);
await sleep(250);
console.log(`  version ${(await flagService.flags()).version}`);
await sleep(50);
console.log(`  version ${(await flagService.flags()).version}`);

await cacheStore.close();
