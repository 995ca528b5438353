// Two instances with memory of their own, kept in step by the bus over Redis, whatever store is below.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { redis } from 'cachalot';
import { startRedis } from '../../servers.mjs';
import { bento } from '../support/bento.mjs';
import { STORES } from '../support/stores.mjs';

/** A message takes about a millisecond; a machine under load more. */
const ARRIVES_MS = 5_000;

async function eventually(what, check) {
  const deadline = Date.now() + ARRIVES_MS;
  while (!(await check())) {
    assert.ok(Date.now() < deadline, `within ${ARRIVES_MS} ms: ${what}`);
    await sleep(5);
  }
}

for (const kind of Object.keys(STORES)) {
  describe(`the bus above ${kind}`, () => {
    let one;
    let other;
    beforeEach(async () => {
      const store = STORES[kind]();
      const bus = STORES.redis();
      [one, other] = [bento(store, { l1: true, bus }), bento(store, { l1: true, bus })];
      // Bentocache makes a store, and with it the bus, when it is first used.
      for (const cache of [one, other]) cache.use();
      // A subscription takes a moment: the first message that arrives shows that it is there.
      for (const [from, to] of [
        [one, other],
        [other, one],
      ]) {
        let heard = false;
        to.once('bus:message:received', () => {
          heard = true;
        });
        await eventually('subscribed', async () => {
          await from.set({ key: 'hello', value: 1 });
          return heard;
        });
      }
    });
    afterEach(() => Promise.all([one.disconnectAll(), other.disconnectAll()]));

    /** Both have it in their own memory. */
    async function shared(key, value) {
      await one.set({ key, value, ttl: '1m' });
      await eventually('shared', async () => (await other.get({ key })) === value);
    }

    it('a set of one is what the other gets next', async () => {
      await shared('k', 'old');
      await one.set({ key: 'k', value: 'new', ttl: '1m' });
      await eventually('new', async () => (await other.get({ key: 'k' })) === 'new');
    });

    it('a delete, a deleteMany and a clear end the memory of the other', async () => {
      for (const end of [
        () => one.delete({ key: 'k' }),
        () => one.deleteMany({ keys: ['k'] }),
        () => one.clear(),
      ]) {
        await shared('k', 'old');
        await end();
        await eventually('gone', async () => (await other.get({ key: 'k' })) === undefined);
      }
    });

    it('a clear of a namespace ends the memory of it, and of nothing beside', async () => {
      for (const cache of [one, other]) cache.namespace('users');
      const users = (cache) => cache.namespace('users');
      await users(one).set({ key: 'k', value: 'user', ttl: '1m' });
      await shared('k', 'root');
      assert.equal(await users(other).get({ key: 'k' }), 'user');
      await users(one).clear();
      await eventually('gone', async () => (await users(other).get({ key: 'k' })) === undefined);
      assert.equal(await other.get({ key: 'k' }), 'root');
    });

    it('deleteByTag reaches the memory of the other', async () => {
      await one.set({ key: 'mug', value: 'old', tags: ['kitchen'], ttl: '1m' });
      assert.equal(await other.get({ key: 'mug' }), 'old');
      await sleep(5);
      await one.deleteByTag({ tags: ['kitchen'] });
      await eventually('gone', async () => (await other.get({ key: 'mug' })) === undefined);
    });
  });
}

describe('the bus in an outage', () => {
  it('an instance that was away keeps nothing that it may have missed', async () => {
    const server = await startRedis();
    const store = STORES.memory();
    const bus = redis({ url: `redis://127.0.0.1:${server.port}`, commandTimeout: 300, connectTimeout: 300 });
    const [one, other] = [bento(store, { l1: true, bus }), bento(store, { l1: true, bus })];
    let again;
    try {
      await one.set({ key: 'k', value: 'old', ttl: '1m' });
      await eventually('shared', async () => (await other.get({ key: 'k' })) === 'old');
      await server.stop();
      await one.delete({ key: 'k' });
      // The message of this delete is lost for good: its sender ends before the server is back.
      await one.disconnectAll();
      assert.equal(await other.get({ key: 'k' }), 'old', 'nothing told it yet');
      again = await startRedis(server.port);
      await eventually('gone', async () => (await other.get({ key: 'k' })) === undefined);
    } finally {
      await Promise.all([one.disconnectAll(), other.disconnectAll()]);
      await server.stop();
      await again?.stop();
    }
  });
});
