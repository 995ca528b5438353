// The application on each store, through its own routes.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMemcached, startRedis } from '../../servers.mjs';
import { ace, startApp } from '../support/app.mjs';

const stores = {
  memory: undefined,
  redis: [startRedis, ({ port }) => ({ CACHE_REDIS: `redis://127.0.0.1:${port}` })],
  memcached: [startMemcached, ({ port }) => ({ CACHE_MEMCACHED: `127.0.0.1:${port}` })],
};

for (const [kind, how] of Object.entries(stores)) {
  describe(`an AdonisJS application with its cache in ${kind}`, () => {
    let server;
    let cache = {};
    let app;
    let other;
    before(async () => {
      if (how) {
        server = await how[0]();
        cache = how[1](server);
      }
      [app, other] = await Promise.all([startApp(cache), startApp(cache)]);
    });
    after(async () => {
      const codes = await Promise.all([app?.stop(), other?.stop()]);
      await server?.stop();
      assert.deepEqual(codes, [0, 0], 'both end by themselves after SIGTERM');
    });
    beforeEach(async () => {
      for (const one of [app, other]) await one.put('/database?price=1&delay=0');
      for (const store of ['main', 'layered', 'other']) await app.delete(`/products?store=${store}`);
    });

    const reads = async () => (await app.get('/database')).body.reads;
    const price = async (path, one = app) => {
      const { status, body } = await one.get(path);
      assert.equal(status, 200, JSON.stringify(body));
      return body.price;
    };

    it('getOrSet reads the database once', async () => {
      const before = await reads();
      const answers = await Promise.all(Array.from({ length: 20 }, () => price('/products/1')));
      assert.deepEqual(answers, Array(20).fill(1));
      assert.equal((await reads()) - before, 1);
    });

    it('grace: while the database is down the stale value is served', async () => {
      assert.equal(await price('/products/2?ttl=50'), 1);
      await app.put('/database?price=2&down=true');
      await sleep(100);
      assert.equal(await price('/products/2'), 1);
      const { status, body } = await app.get('/products/cold');
      assert.equal(status, 500);
      assert.match(JSON.stringify(body), /Factory has thrown an error/);
    });

    it('timeout: a slow database is not waited for when there is a stale value; the new one comes behind', async () => {
      assert.equal(await price('/products/3?ttl=50'), 1);
      await app.put('/database?price=3&delay=400');
      await sleep(100);
      const began = performance.now();
      assert.equal(await price('/products/3?timeout=100'), 1);
      assert.ok(performance.now() - began < 350, 'answered before the database');
      await sleep(600);
      assert.equal(await price('/products/3'), 3);
    });

    it('hardTimeout: without a stale value the wait ends with an error', async () => {
      await app.put('/database?delay=2000');
      const began = performance.now();
      const { status, body } = await app.get('/products/4');
      assert.ok(performance.now() - began < 1500, 'answered before the database');
      assert.equal(status, 500);
      assert.match(JSON.stringify(body), /hard timeout/);
      await app.put('/database?delay=0');
    });

    it('namespace().clear() clears what is under it and nothing beside it', async () => {
      await app.put('/keys/products?value=beside');
      await app.put('/keys/products2:5?value=beside');
      assert.equal(await price('/products/5'), 1);
      await app.put('/database?price=5');
      assert.equal(await price('/products/5'), 1);
      await app.delete('/products');
      assert.equal(await price('/products/5'), 5);
      for (const key of ['products', 'products2:5'])
        assert.equal((await app.get(`/keys/${key}`)).body.value, 'beside');
    });

    it('deleteByTag', async () => {
      assert.equal(await price('/products/6'), 1);
      assert.equal(await price('/products/7'), 1);
      await app.put('/database?price=6');
      await sleep(5);
      await app.delete('/products/tags/product-6');
      // Bentocache serves a value cleared by tag within its grace, while the new one is read behind.
      await app.get('/products/6?timeout=400');
      assert.equal(await price('/products/6'), 6);
      assert.equal(await price('/products/7'), 1);
    });

    it('cache.use: stores with other prefixes are apart', async () => {
      await app.put('/keys/k?value=main');
      await app.put('/keys/k?value=other&store=other');
      assert.equal((await app.get('/keys/k')).body.value, 'main');
      assert.equal((await app.get('/keys/k?store=other')).body.value, 'other');
      assert.equal((await app.get('/keys/k?store=layered')).body.value, null);
    });

    it('the Edge helper', async () => {
      await app.put('/keys/greeting?value=hello');
      await app.put('/keys/greeting?value=hi&store=other');
      assert.equal((await app.get('/')).body.trim(), '<h1>hello</h1>\n<p>hi</p>');
    });

    if (kind === 'redis') {
      it('two processes, each with memory of its own, are kept in step by the bus', async () => {
        const value = async (one) => (await one.get('/keys/step?store=layered')).body.value;
        const becomes = async (one, expected) => {
          const deadline = Date.now() + 5_000;
          while ((await value(one)) !== expected) {
            assert.ok(Date.now() < deadline, `${expected} within 5 s`);
            await sleep(5);
          }
        };
        for (let round = 0; round < 5; round++) {
          await app.put(`/keys/step?store=layered&value=a${round}`);
          await becomes(other, `a${round}`);
          await other.put(`/keys/step?store=layered&value=b${round}`);
          await becomes(app, `b${round}`);
        }
        await ace(cache, 'cache:clear', 'layered');
        await becomes(app, null);
        await becomes(other, null);
        assert.equal(await price('/products/9?store=layered'), 1);
        assert.equal(await price('/products/9?store=layered', other), 1);
        for (const one of [app, other]) await one.put('/database?price=9');
        await app.delete('/products?store=layered');
        const deadline = Date.now() + 5_000;
        while ((await price('/products/9?store=layered', other)) !== 9) {
          assert.ok(Date.now() < deadline, 'the new price within 5 s');
          await sleep(5);
        }
      });
    }

    if (how) {
      it('another process reads what this one stored, and clears it', async () => {
        assert.equal(await price('/products/8'), 1);
        for (const one of [app, other]) await one.put('/database?price=8');
        assert.equal(await price('/products/8', other), 1);
        await other.delete('/products');
        assert.equal(await price('/products/8'), 8);
      });

      it('node ace cache:clear clears our store and only it, and ends by itself', async () => {
        for (const store of ['main', 'other', 'layered'])
          await app.put(`/keys/k?value=${store}&store=${store}`);
        const value = async (store) => (await other.get(`/keys/k?store=${store}`)).body.value;
        const main = await ace(cache, 'cache:clear');
        assert.equal(main.code, 0, main.said);
        assert.match(main.said, /Cleared "main" cache successfully/);
        assert.deepEqual(
          [await value('main'), await value('other'), await value('layered')],
          [null, 'other', 'layered'],
        );
        const second = await ace(cache, 'cache:clear', 'other');
        assert.equal(second.code, 0, second.said);
        assert.equal(await value('other'), null);
      });

      it('node ace cache:clear --namespace, --tags, and cache:delete', async () => {
        await app.put('/keys/k?value=kept');
        await app.put('/keys/gone?value=gone');
        for (const id of ['a', 'b']) assert.equal(await price(`/products/${id}`), 1);
        await app.put('/database?price=9');
        const namespace = await ace(cache, 'cache:clear', '--namespace=products');
        assert.equal(namespace.code, 0, namespace.said);
        assert.equal(await price('/products/a'), 9);
        const key = await ace(cache, 'cache:delete', 'gone');
        assert.equal(key.code, 0, key.said);
        assert.deepEqual(
          [(await app.get('/keys/gone')).body.value, (await app.get('/keys/k')).body.value],
          [null, 'kept'],
        );
      });
    }
  });
}
