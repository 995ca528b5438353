// Four providers side by side in one Caching Module: the same expectations of each, and what their options do.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startMemcached, startRedis } from '../../servers.mjs';
import { boot } from '../support/app.mjs';
import { memcachedSize, redisInteger, redisKeys } from '../support/stores.mjs';

let redis;
let memcached;
let medusa;

before(async () => {
  redis = await startRedis();
  memcached = await startMemcached();
  const redisUrl = `redis://127.0.0.1:${redis.port}`;
  medusa = await boot([
    { id: 'redis', resolve: 'cachalot/medusa/redis', is_default: true, options: { redisUrl } },
    {
      id: 'second-redis',
      resolve: 'cachalot/medusa/redis',
      options: { redisUrl, prefix: 'second', compressionThreshold: 1_000_000, redisOptions: { db: 0 } },
    },
    {
      id: 'memcached',
      resolve: 'cachalot/medusa/memcached',
      options: { serverUrls: [`127.0.0.1:${memcached.port}`], cachePrefix: 'shop' },
    },
    { id: 'memory', resolve: 'cachalot/medusa/memory', options: {} },
  ]);
});

after(async () => {
  await medusa?.close();
  await Promise.all([redis?.stop(), memcached?.stop()]);
});

const ids = ['redis', 'second-redis', 'memcached', 'memory'];

for (const id of ids) {
  describe(`provider ${id} through the Caching Module`, () => {
    const providers = [id];
    const get = (target) => medusa.caching.get({ ...target, providers });
    const set = (entry) => medusa.caching.set({ ...entry, providers });
    const clear = (target) => medusa.caching.clear({ ...target, providers });

    it('answers null for a miss and the value for a hit', async () => {
      assert.equal(await get({ key: 'products' }), null);
      const data = [{ id: 'prod_1', title: 'Écru shirt', price: 19.95, metadata: null }];
      await set({ key: 'products', data, tags: ['Product:prod_1', 'Product:list:*'] });
      assert.deepEqual(await get({ key: 'products' }), data);
    });

    it('gives all live values of tags, an empty list for an unknown one', async () => {
      await set({ key: 'by-tag:1', data: { n: 1 }, tags: ['Shelf:1', 'Shelf:list:*'] });
      await set({ key: 'by-tag:2', data: { n: 2 }, tags: ['Shelf:2', 'Shelf:list:*'] });
      const found = await get({ tags: ['Shelf:list:*'] });
      assert.deepEqual(found.map(({ n }) => n).sort(), [1, 2]);
      assert.deepEqual(await get({ tags: ['Shelf:2'] }), [{ n: 2 }]);
      assert.deepEqual(await get({ tags: ['Shelf:unknown'] }), []);
    });

    it('clears by key, and only that key', async () => {
      await set({ key: 'by-key:1', data: { n: 1 }, tags: ['Box:1'] });
      await set({ key: 'by-key:2', data: { n: 2 }, tags: ['Box:2'] });
      await clear({ key: 'by-key:1' });
      assert.equal(await get({ key: 'by-key:1' }), null);
      assert.deepEqual(await get({ key: 'by-key:2' }), { n: 2 });
    });

    it('clears by tag whatever the entry says of automatic invalidation', async () => {
      await set({ key: 'clear:1', data: { n: 1 }, tags: ['Bin:1', 'Bin:list:*'] });
      await set({
        key: 'clear:2',
        data: { n: 2 },
        tags: ['Bin:2', 'Bin:list:*'],
        options: { autoInvalidate: false },
      });
      await clear({ tags: ['Bin:1'] });
      assert.equal(await get({ key: 'clear:1' }), null);
      assert.deepEqual(await get({ key: 'clear:2' }), { n: 2 });
      await clear({ tags: ['Bin:list:*'] });
      assert.equal(await get({ key: 'clear:2' }), null);
    });

    it('leaves entries with autoInvalidate: false to an explicit clear', async () => {
      await set({ key: 'auto:absent', data: { n: 1 }, tags: ['Crate:1'] });
      await set({
        key: 'auto:undefined',
        data: { n: 2 },
        tags: ['Crate:1'],
        options: { autoInvalidate: undefined },
      });
      await set({ key: 'auto:false', data: { n: 3 }, tags: ['Crate:1'], options: { autoInvalidate: false } });
      await clear({ tags: ['Crate:1'], options: { autoInvalidate: true } });
      assert.equal(await get({ key: 'auto:absent' }), null);
      assert.equal(await get({ key: 'auto:undefined' }), null);
      assert.deepEqual(await get({ key: 'auto:false' }), { n: 3 });
    });

    it('clears everything of its own, and nothing else, by the tag *', async () => {
      const others = ids.filter((other) => other !== id);
      await medusa.caching.set({ key: 'neighbour', data: { kept: true }, tags: [], providers: others });
      await set({ key: 'star', data: { n: 1 }, tags: [] });
      await clear({ tags: ['*'] });
      assert.equal(await get({ key: 'star' }), null);
      for (const other of others) {
        assert.deepEqual(
          await medusa.caching.get({ key: 'neighbour', providers: [other] }),
          { kept: true },
          other,
        );
      }
    });

    it('lets a value go when the ttl given for this provider ends', async () => {
      await medusa.caching.set({
        key: 'short',
        data: { n: 1 },
        tags: [],
        ttl: 600,
        providers: [{ id, ttl: 1 }],
      });
      assert.deepEqual(await get({ key: 'short' }), { n: 1 });
      // Memcached counts in whole seconds and may keep an item for one more tick of its clock.
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      assert.equal(await get({ key: 'short' }), null);
    });
  });
}

describe('selection by providers: [...]', () => {
  it('reads and writes only the default provider when none is named', async () => {
    await medusa.caching.set({ key: 'default', data: { n: 1 }, tags: [] });
    assert.deepEqual(await medusa.caching.get({ key: 'default' }), { n: 1 });
    assert.deepEqual(await medusa.caching.get({ key: 'default', providers: ['redis'] }), { n: 1 });
    for (const id of ids.slice(1))
      assert.equal(await medusa.caching.get({ key: 'default', providers: [id] }), null, id);
  });

  it('asks the named providers in order', async () => {
    await medusa.caching.set({ key: 'order', data: { from: 'memory' }, tags: [], providers: ['memory'] });
    await medusa.caching.set({
      key: 'order',
      data: { from: 'memcached' },
      tags: [],
      providers: ['memcached'],
    });
    const first = (providers) => medusa.caching.get({ key: 'order', providers });
    assert.deepEqual(await first(['redis', 'memory', 'memcached']), { from: 'memory' });
    assert.deepEqual(await first(['redis', 'memcached', 'memory']), { from: 'memcached' });
  });

  it('writes to and clears several at once', async () => {
    await medusa.caching.set({ key: 'several', data: { n: 1 }, tags: ['Several:1'], providers: ids });
    for (const id of ids)
      assert.deepEqual(await medusa.caching.get({ key: 'several', providers: [id] }), { n: 1 }, id);
    await medusa.caching.clear({ tags: ['Several:1'], providers: ['redis', 'memcached'] });
    const seen = await Promise.all(ids.map((id) => medusa.caching.get({ key: 'several', providers: [id] })));
    assert.deepEqual(seen, [null, { n: 1 }, null, { n: 1 }]);
  });
});

describe('options of each provider', () => {
  const text = 'compressible '.repeat(1_000);

  it('reach the stores: prefixes', async () => {
    await medusa.caching.set({ key: 'where', data: { n: 1 }, tags: [], providers: ids });
    const keys = await redisKeys(redis.port);
    assert.ok(keys.includes('cachalot::where'), `default prefix among ${keys}`);
    assert.ok(keys.includes('second::where'), `own prefix among ${keys}`);
    assert.ok(
      keys.every((key) => /^(cachalot|second)(::|!)/.test(key)),
      `nothing outside the prefixes among ${keys}`,
    );
    assert.notEqual(await memcachedSize(memcached.port, 'shop::where'), null);
    assert.equal(await memcachedSize(memcached.port, 'medusa::where'), null);
  });

  it('reach the stores: compression', async () => {
    await medusa.caching.set({ key: 'size', data: { text }, tags: [], providers: ids });
    assert.ok((await redisInteger(redis.port, 'STRLEN cachalot::size')) < 1_000, 'compressed by default');
    assert.ok(
      (await redisInteger(redis.port, 'STRLEN second::size')) > text.length,
      'below its own threshold',
    );
    assert.ok((await memcachedSize(memcached.port, 'shop::size')) < 1_000, 'compressed by default');
    for (const id of ids)
      assert.deepEqual(await medusa.caching.get({ key: 'size', providers: [id] }), { text }, id);
  });

  it("store with the Caching Module's ttl of an hour where the call gives none", async () => {
    await medusa.caching.set({ key: 'life', data: { n: 1 }, tags: [] });
    const life = await redisInteger(redis.port, 'PTTL cachalot::life');
    assert.ok(life > 3_500_000 && life <= 3_700_000, `${life} ms`);
  });

  it('are logged as connections, without secrets', () => {
    const said = medusa.logger.lines.map(({ text: line }) => line).join('\n');
    assert.match(said, new RegExp(`127\\.0\\.0\\.1:${redis.port}`));
    assert.match(said, new RegExp(`127\\.0\\.0\\.1:${memcached.port}`));
    assert.deepEqual(
      medusa.logger.lines.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
