// Operations that nobody awaited take effect in the order in which they were asked for.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cache, createCache, memcached, redis, type StoreSpec } from '../js/index.js';
import { type SpecUnderTest, specs } from './cache/caches.js';
import { redisRaw } from './contract/raw-redis.js';
import { stores, uniquePrefix } from './contract/stores.js';
import { type MemcachedServer, type RedisServer, startMemcached, startRedis } from './support/servers.js';

/** What is at stake is who is first by a millisecond: now and then it goes well by itself. */
const TIMES = 30;

/** What is asked after `set(key, 1)` with the tag `t`, and what is there when all has ended. */
const LATER: Record<string, { ask(cache: Cache, key: string): Promise<unknown>; left: unknown }> = {
  set: { ask: (cache, key) => cache.set({ key, value: 2, tags: ['t'] }), left: 2 },
  delete: { ask: (cache, key) => cache.delete(key), left: undefined },
  deleteByTag: { ask: (cache) => cache.deleteByTag({ tags: ['t'] }), left: undefined },
  clear: { ask: (cache) => cache.clear(), left: undefined },
  expire: { ask: (cache, key) => cache.expire(key), left: undefined },
};

/** The first set is not awaited; what comes later is, a turn after it. */
async function both(cache: Cache, key: string, later: keyof typeof LATER): Promise<unknown> {
  const first = cache.set({ key, value: 1, tags: ['t'] });
  await turn();
  await LATER[later]?.ask(cache, key);
  const soon = await cache.get(key);
  await first;
  const late = await cache.get(key);
  return { soon, late };
}

const repeated = <T>(work: (at: number) => Promise<T>) =>
  Promise.all(Array.from({ length: TIMES }, (_, at) => work(at)));

describe.each(specs())('what a new process asks first: $name', (store: SpecUnderTest) => {
  async function fresh<T>(work: (cache: Cache) => Promise<T>): Promise<T> {
    const cache = createCache({ store: store.spec(uniquePrefix('order')) });
    try {
      return await work(cache);
    } finally {
      await cache.close();
    }
  }

  it.each(Object.keys(LATER))('a set, then %s', async (later) => {
    const left = LATER[later]?.left;
    const found = await repeated(() => fresh((cache) => both(cache, 'k', later)));
    expect(found).toEqual(found.map(() => ({ soon: left, late: left })));
  });

  // On memcached what has a tag that is new to the store can be read once its set was answered.
  it.each(store.kind === 'memcached' ? [[]] : [[], ['t']])(
    'a set, then a get, which sees it: %s',
    async (...tags) => {
      const found = await repeated(() =>
        fresh(async (cache) => {
          const first = cache.set({ key: 'k', value: 1, tags });
          await turn();
          const seen = await cache.get('k');
          await first;
          return seen;
        }),
      );
      expect(found).toEqual(found.map(() => 1));
    },
  );

  it('many sets of a key, a turn apart', async () => {
    const found = await repeated(() =>
      fresh(async (cache) => {
        const sets: Promise<unknown>[] = [];
        for (let value = 0; value < 8; value++) {
          sets.push(cache.set({ key: 'k', value, tags: [`t${value}`] }));
          await turn();
        }
        await Promise.all(sets);
        return cache.get('k');
      }),
    );
    expect(found).toEqual(found.map(() => 7));
  });
});

describe.each(stores())('what a new provider is asked first: $name', (store) => {
  it.each([
    ['its key', { key: 'k' }],
    ['its tag', { tags: ['t'] }],
    ['everything', { tags: ['*'] }],
  ])('a set, then a clear of %s', async (_, cleared) => {
    const found = await repeated(async () => {
      const provider = store.open({ prefix: uniquePrefix('order') });
      const set = provider.set({ key: 'k', data: { n: 1 }, tags: ['t'] });
      await turn();
      await provider.clear(cleared);
      const soon = await provider.get({ key: 'k' });
      await set;
      const late = await provider.get({ key: 'k' });
      await provider.close();
      return [soon, late];
    });
    expect(found).toEqual(found.map(() => [null, null]));
  });
});

describe('what a server forgets between two operations', () => {
  let server: RedisServer;
  let items: MemcachedServer[];
  beforeAll(async () => {
    server = await startRedis();
    items = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  });
  afterAll(() => Promise.all([server.stop(), ...items.map((one) => one.stop())]));

  const overRedis = () => redis({ url: server.url, prefix: uniquePrefix('order') });
  const overMemcached = (count: number) => () =>
    memcached({
      servers: items.slice(0, count).map((one) => one.address),
      prefix: uniquePrefix('order'),
    });
  const ask =
    (...words: string[]) =>
    async () => {
      await redisRaw(server.port).command(...words);
    };
  const flushItems = async () => {
    await Promise.all(items.map((one) => say(one.port, 'flush_all\r\n')));
  };

  /** `refuses`: sets that meet the loss may not be stored at all (docs/decisions/0021). */
  const losses: { name: string; spec: () => StoreSpec; lose: () => Promise<void>; refuses?: true }[] = [
    { name: 'redis, its scripts', spec: overRedis, lose: ask('SCRIPT', 'FLUSH'), refuses: true },
    { name: 'redis, everything', spec: overRedis, lose: ask('FLUSHALL') },
    {
      name: 'redis, scripts and everything',
      spec: overRedis,
      lose: async () => {
        await ask('FLUSHALL')();
        await ask('SCRIPT', 'FLUSH')();
      },
      refuses: true,
    },
    { name: 'memcached, everything', spec: overMemcached(1), lose: flushItems },
    { name: 'three memcached, everything', spec: overMemcached(3), lose: flushItems },
  ];

  describe.each(losses)('$name', ({ spec, lose, refuses }) => {
    it.each(Object.keys(LATER))('a set, then %s', async (later) => {
      const cache = createCache({ store: spec() });
      await cache.set({ key: 'warm', value: 0, tags: ['t'] });
      const found: unknown[] = [];
      for (let at = 0; at < TIMES; at++) {
        await lose();
        found.push(await both(cache, `k${at}`, later));
      }
      await cache.close();
      const left = LATER[later]?.left;
      const stands = { soon: left, late: left };
      const refused = { soon: undefined, late: undefined };
      if (refuses) for (const one of found) expect([stands, refused]).toContainEqual(one);
      else expect(found).toEqual(found.map(() => stands));
    });
  });

  it.each(Object.keys(LATER))('redis, the connection: a set, then %s', async (later) => {
    const cache = createCache({ store: overRedis(), errors: 'throw' });
    const { left } = LATER[later] ?? {};
    const found: unknown[] = [];
    for (let at = 0; at < TIMES; at++) {
      const key = `k${at}`;
      await connected(cache);
      await ask('CLIENT', 'KILL', 'TYPE', 'normal')();
      const first = cache.set({ key, value: 1, tags: ['t'] }).catch(() => false);
      await turn();
      const done = await LATER[later]?.ask(cache, key).then(
        () => true,
        () => false,
      );
      await first;
      await connected(cache);
      const value = await cache.get(key);
      // A later set that failed leaves the first one, or nothing. A clear that failed is made before the first read.
      found.push(later === 'set' && !done && value !== 2 ? left : value);
    }
    await cache.close();
    expect(found).toEqual(found.map(() => left));
  });
});

/** Until the server answers again. */
async function connected(cache: Cache): Promise<void> {
  for (;;) {
    const answered = await cache.has('nothing').then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function say(port: number, words: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.write(words);
  await once(socket, 'data');
  socket.destroy();
}
