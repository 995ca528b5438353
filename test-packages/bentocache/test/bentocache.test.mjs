// Bentocache itself with our driver as its distributed layer, on every store. Two instances are two processes of an
// application: they share nothing but the store.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bento, counted } from '../support/bento.mjs';
import { STORES } from '../support/stores.mjs';

for (const kind of Object.keys(STORES)) {
  describe(`Bentocache over ${kind}`, () => {
    let store;
    let open;
    beforeEach(() => {
      store = STORES[kind]();
      open = [];
    });
    afterEach(() => Promise.all(open.map((one) => one.disconnectAll())));

    const instance = (options) => {
      const made = bento(store, options);
      open.push(made);
      return made;
    };

    for (const l1 of [false, true]) {
      describe(l1 ? "with Bentocache's memory above it" : 'alone', () => {
        it('getOrSet runs the factory once, and the other instance not at all', async () => {
          const [one, other] = [instance({ l1 }), instance({ l1 })];
          const factory = counted({ id: 1, name: 'Zürich 🐋' });
          const calls = Array.from({ length: 20 }, () => one.getOrSet({ key: 'user:1', factory, ttl: '1m' }));
          for (const value of await Promise.all(calls)) assert.deepEqual(value, { id: 1, name: 'Zürich 🐋' });
          assert.deepEqual(await other.getOrSet({ key: 'user:1', factory, ttl: '1m' }), {
            id: 1,
            name: 'Zürich 🐋',
          });
          assert.equal(factory.runs, 1);
        });

        it('a value goes when its ttl ends, and one for ever stays', async () => {
          const [one, other] = [instance({ l1 }), instance({ l1 })];
          await one.set({ key: 'short', value: 1, ttl: 300 });
          await one.setForever({ key: 'ever', value: 0 });
          await one.set({ key: 'zero', value: 'kept', ttl: 0 });
          assert.equal(await one.get({ key: 'short' }), 1);
          await sleep(400);
          for (const cache of [one, other]) {
            assert.equal(await cache.get({ key: 'short' }), undefined);
            assert.equal(await cache.get({ key: 'ever' }), 0);
            assert.equal(await cache.get({ key: 'zero' }), 'kept');
          }
        });

        it('within grace a factory that throws leaves the stale value', async () => {
          const cache = instance({ l1, grace: '10m', graceBackoff: '1s', timeout: '5s' });
          await cache.set({ key: 'rate', value: 1.08, ttl: 100 });
          await sleep(150);
          const failing = counted(() => {
            throw new Error('the bank is closed');
          });
          assert.equal(await cache.getOrSet({ key: 'rate', factory: failing, ttl: '1m' }), 1.08);
          assert.equal(failing.runs, 1);
          assert.equal(await cache.getOrSet({ key: 'rate', factory: failing, ttl: '1m' }), 1.08);
          assert.equal(failing.runs, 1, 'held off by graceBackoff');
          const cold = cache.getOrSet({ key: 'none', factory: failing, ttl: '1m' });
          await assert.rejects(cold, (error) => error.cause?.message === 'the bank is closed');
        });

        it('after the soft timeout the stale value is served, and the new one comes behind', async () => {
          const cache = instance({ l1, grace: '10m', timeout: 50 });
          await cache.set({ key: 'slow', value: 'old', ttl: 50 });
          await sleep(80);
          const factory = counted(() => sleep(300, 'new'));
          const began = performance.now();
          assert.equal(await cache.getOrSet({ key: 'slow', factory, ttl: '1m' }), 'old');
          const took = performance.now() - began;
          assert.ok(took < 250, `answered in ${took} ms, before the factory did`);
          await sleep(400);
          assert.equal(await cache.get({ key: 'slow' }), 'new');
          assert.equal(await instance({ l1 }).get({ key: 'slow' }), 'new');
        });

        it('after the hard timeout it rejects', async () => {
          const cache = instance({ l1 });
          const late = cache.getOrSet({
            key: 'never',
            factory: () => sleep(400, 'late'),
            ttl: '1m',
            hardTimeout: 50,
          });
          await assert.rejects(late, { code: 'E_FACTORY_HARD_TIMEOUT' });
        });

        it('has, missing, pull, delete, deleteMany and expire', async () => {
          const cache = instance({ l1, grace: '10m', timeout: 0 });
          for (const key of ['a', 'b', 'c', 'd']) await cache.set({ key, value: key, ttl: '1m' });
          assert.equal(await cache.has({ key: 'a' }), true);
          assert.equal(await cache.missing({ key: 'a' }), false);
          assert.equal(await cache.pull('a'), 'a');
          assert.equal(await cache.missing({ key: 'a' }), true);
          await cache.delete({ key: 'b' });
          await cache.deleteMany({ keys: ['c', 'none'] });
          for (const key of ['a', 'b', 'c']) assert.equal(await cache.get({ key }), undefined);
          await cache.expire({ key: 'd' });
          assert.equal(await cache.get({ key: 'd', grace: false }), undefined);
          assert.equal(await cache.get({ key: 'd' }), 'd');
        });
      });
    }

    it('deleteByTag reaches what another instance stored, and nothing else', async () => {
      const [one, other] = [instance(), instance()];
      await one.set({ key: 'mug', value: 'mug', tags: ['products', 'kitchen'], ttl: '1m' });
      await one.set({ key: 'lamp', value: 'lamp', tags: ['products'], ttl: '1m' });
      await one.set({ key: 'plain', value: 'plain', ttl: '1m' });
      assert.equal(await other.get({ key: 'mug' }), 'mug');
      await sleep(5);
      await other.deleteByTag({ tags: ['kitchen'] });
      assert.equal(await one.get({ key: 'mug' }), undefined);
      assert.equal(await one.get({ key: 'lamp' }), 'lamp');
      assert.equal(await one.get({ key: 'plain' }), 'plain');
      await sleep(5);
      await one.set({ key: 'mug', value: 'new', tags: ['kitchen'], ttl: '1m' });
      assert.equal(await other.get({ key: 'mug' }), 'new');
    });

    it('deleteByTag holds after a clear of all and of the same keys', async () => {
      const [one, other] = [instance(), instance()];
      // Looks the tag up: a miss of its marker.
      await one.set({ key: 'mug', value: 'old', tags: ['kitchen'], ttl: '1m' });
      assert.equal(await one.get({ key: 'mug' }), 'old');
      await one.clear();
      await one.set({ key: 'mug', value: 'again', tags: ['kitchen'], ttl: '1m' });
      assert.equal(await other.get({ key: 'mug' }), 'again');
      await sleep(5);
      await one.deleteByTag({ tags: ['kitchen'] });
      assert.equal(await other.get({ key: 'mug' }), undefined);
    });

    it('a namespace is cleared with all under it, for both instances, and nothing beside it', async () => {
      const [one, other] = [instance(), instance()];
      const users = one.namespace('users');
      await users.set({ key: 'k', value: 'user', ttl: '1m' });
      await users.namespace('posts').set({ key: 'k', value: 'post', ttl: '1m' });
      await one.namespace('users2').set({ key: 'k', value: 'beside', ttl: '1m' });
      await one.set({ key: 'k', value: 'root', ttl: '1m' });
      assert.equal(await other.get({ key: 'users:posts:k' }), 'post');
      await other.namespace('users').clear();
      assert.equal(await users.get({ key: 'k' }), undefined);
      assert.equal(await users.namespace('posts').get({ key: 'k' }), undefined);
      assert.equal(await other.namespace('users2').get({ key: 'k' }), 'beside');
      assert.equal(await other.get({ key: 'k' }), 'root');
      await one.clear();
      assert.equal(await other.get({ key: 'k' }), undefined);
    });

    it('caches with different prefixes on one store do not see each other', async () => {
      const [one, other] = [instance({ prefix: 'one' }), instance({ prefix: 'other' })];
      await one.set({ key: 'k', value: 1, ttl: '1m' });
      assert.equal(await other.get({ key: 'k' }), undefined);
      await other.set({ key: 'k', value: 2, ttl: '1m' });
      await other.clear();
      assert.equal(await one.get({ key: 'k' }), 1);
    });

    it('an explicit set after a miss and a clear is stored', async () => {
      const cache = instance();
      assert.equal(await cache.get({ key: 'k' }), undefined);
      await cache.delete({ key: 'k' });
      await cache.clear();
      await cache.set({ key: 'k', value: 'fresh', ttl: '1m' });
      assert.equal(await cache.get({ key: 'k' }), 'fresh');
    });
  });
}
