// The older Cache Module, each store behind Modules.CACHE in Medusa's own loader.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { freePort, startMemcached, startRedis } from '../../servers.mjs';
import { bootCache } from '../support/cache-app.mjs';
import { redisKeys } from '../support/stores.mjs';

const stores = {
  redis: [startRedis, ({ port }) => ({ redisUrl: `redis://127.0.0.1:${port}`, namespace: 'shop' })],
  memcached: [startMemcached, ({ port }) => ({ location: `127.0.0.1:${port}`, namespace: 'shop' })],
  memory: [async () => ({ port: undefined, stop: async () => {} }), () => ({ namespace: 'shop' })],
};
const declaration = (store, options) => ({ resolve: `cachalot/medusa/cache/${store}`, options });

for (const [store, [start, optionsFor]] of Object.entries(stores)) {
  describe(`Modules.CACHE with cachalot/medusa/cache/${store}`, () => {
    it('gets, sets, invalidates with wildcards, and closes with the application', async () => {
      const server = await start();
      let medusa;
      try {
        medusa = await bootCache(declaration(store, { ...optionsFor(server), ttl: 60 }));
        const { cache } = medusa;
        assert.equal(await cache.get('ps:1'), null);
        await cache.set('ps:1', { amount: 1 });
        await cache.set('ps:2', { amount: 2 }, 600);
        await cache.set('pss:1', { amount: 3 });
        await cache.set('none', { amount: 4 }, 0);
        assert.deepEqual(await cache.get('ps:2'), { amount: 2 });
        assert.equal(await cache.get('none'), null);
        if (store === 'redis') {
          const keys = await redisKeys(server.port);
          assert.ok(keys.includes('shop::ps:1'), `${keys}`);
        }
        await cache.invalidate('ps:*');
        assert.equal(await cache.get('ps:1'), null);
        assert.equal(await cache.get('ps:2'), null);
        assert.deepEqual(await cache.get('pss:1'), { amount: 3 });
      } finally {
        await medusa?.close();
        await server.stop();
      }
      await assert.rejects(medusa.cache.get('pss:1'), { code: 'CACHALOT_CLOSED' });
    });
  });
}

it('examples/medusa/cache-module/medusa-config.ts boots', async () => {
  const redis = await startRedis();
  let medusa;
  try {
    process.env.CACHE_REDIS_URL = `redis://127.0.0.1:${redis.port}`;
    const config = createRequire(import.meta.url)('../.built/example-js/cache-module/medusa-config.js');
    medusa = await bootCache(config.modules.cache);
    await medusa.cache.set('k', { n: 1 });
    assert.deepEqual(await medusa.cache.get('k'), { n: 1 });
    assert.ok((await redisKeys(redis.port)).includes('medusa::k'));
  } finally {
    await medusa?.close();
    await redis.stop();
  }
});

it('a bad option fails the boot and says which', async () => {
  const options = { redisUrl: 'redis://127.0.0.1:1', namspace: 'shop' };
  await assert.rejects(
    bootCache(declaration('redis', options)),
    /cachalot\/medusa\/cache\/redis: unknown option "namspace".*closest.*"namespace"/s,
  );
});

it('a server that is down stops neither the boot nor a run of the loaders alone', async () => {
  const redisUrl = `redis://127.0.0.1:${await freePort()}`;
  const began = Date.now();
  await bootCache(declaration('redis', { redisUrl }), { loaderOnly: true });
  const medusa = await bootCache(declaration('redis', { redisUrl }));
  try {
    assert.equal(await medusa.cache.get('k'), null);
    await assert.rejects(medusa.cache.set('k', 1), { code: 'CACHALOT_CONNECTION' });
    assert.ok(
      medusa.logger.lines.some(({ level, text }) => level === 'warn' && text.includes(redisUrl.slice(8))),
    );
  } finally {
    await medusa.close();
  }
  assert.ok(Date.now() - began < 10_000, `it took ${Date.now() - began} ms`);
});
