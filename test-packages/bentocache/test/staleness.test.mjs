// What a factory read from the database before a clear is not stored after it, whoever cleared; and nothing else is refused.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bento } from '../support/bento.mjs';
import { STORES } from '../support/stores.mjs';

const clears = {
  'a delete': (other) => other.namespace('users').delete({ key: 'k' }),
  'a deleteMany': (other) => other.namespace('users').deleteMany({ keys: ['k', 'j'] }),
  'a clear of its namespace': (other) => other.namespace('users').clear(),
  'a clear of all': (other) => other.clear(),
};

for (const kind of Object.keys(STORES)) {
  describe(`data read before a clear, over ${kind}`, () => {
    let one;
    let other;
    beforeEach(() => {
      const store = STORES[kind]();
      one = bento(store);
      other = bento(store);
    });
    afterEach(() => Promise.all([one.disconnectAll(), other.disconnectAll()]));

    /** A getOrSet whose factory reads the database, is then overtaken by `meanwhile`, and returns what it read. */
    async function overtaken(meanwhile) {
      const database = { row: 'old' };
      const factory = async () => {
        const { row } = database;
        database.row = 'new';
        await meanwhile();
        return row;
      };
      const answer = await one.namespace('users').getOrSet({ key: 'k', factory, ttl: '1m' });
      assert.equal(answer, 'old', 'its own caller asked before');
      return () => other.namespace('users').getOrSet({ key: 'k', factory: () => database.row, ttl: '1m' });
    }

    for (const [what, clear] of Object.entries(clears)) {
      it(`${what} while the factory runs: the next read is of the new data`, async () => {
        const read = await overtaken(() => clear(other));
        assert.equal(await read(), 'new');
        assert.equal(await read(), 'new');
      });
    }

    it('without a clear it is stored', async () => {
      const read = await overtaken(() => other.get({ key: 'beside' }));
      assert.equal(await read(), 'old');
    });

    it('what the factory itself looks up and stores does not weaken the guard', async () => {
      const users = one.namespace('users');
      const read = await overtaken(async () => {
        await other.namespace('users').delete({ key: 'k' });
        assert.equal(await users.get({ key: 'k' }), undefined);
        assert.equal(await users.has({ key: 'k' }), false);
        assert.equal(await users.getOrSet({ key: 'inner', factory: () => 'inner', ttl: '1m' }), 'inner');
      });
      assert.equal(await read(), 'new');
      assert.equal(await other.namespace('users').get({ key: 'inner' }), 'inner');
    });

    it('also where a value past its ttl was there, within grace', async () => {
      const users = one.namespace('users');
      const row = { value: 'old' };
      await users.set({ key: 'k', value: 'older', ttl: 30, grace: '10m' });
      await sleep(50);
      const factory = async () => {
        const { value } = row;
        row.value = 'new';
        await other.namespace('users').delete({ key: 'k' });
        return value;
      };
      const options = { key: 'k', ttl: '1m', grace: '10m', timeout: '5s' };
      assert.equal(await users.getOrSet({ ...options, factory }), 'old');
      assert.equal(await other.namespace('users').getOrSet({ ...options, factory: () => row.value }), 'new');
    });

    it('and without a clear the value past its ttl is replaced', async () => {
      const options = { key: 'k', ttl: '1m', grace: '10m', timeout: '5s' };
      await one.set({ ...options, value: 'older', ttl: 30 });
      await sleep(50);
      assert.equal(await one.getOrSet({ ...options, factory: () => 'new' }), 'new');
      assert.equal(await other.get({ key: 'k' }), 'new');
      await one.expire({ key: 'k' });
      assert.equal(await other.get({ key: 'k', grace: false }), undefined);
      assert.equal(await one.getOrSet({ ...options, factory: () => 'newer' }), 'newer');
      assert.equal(await other.get({ key: 'k' }), 'newer');
    });

    it('a set that somebody calls meanwhile is stored, and stays', async () => {
      const read = await overtaken(async () => {
        await other.namespace('users').delete({ key: 'k' });
        await other.namespace('users').set({ key: 'k', value: 'new', ttl: '1m' });
      });
      assert.equal(await read(), 'new');
    });

    it('many at once, each with its own guard', async () => {
      const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
      const fetched = keys.map((key, n) =>
        one.getOrSet({
          key,
          ttl: '1m',
          factory: async () => {
            await sleep(n % 7);
            if (n % 2 === 0) await other.delete({ key });
            return 'read before';
          },
        }),
      );
      await Promise.all(fetched);
      for (const [n, key] of keys.entries()) {
        if (n % 2 === 0) assert.equal(await other.get({ key }), undefined, key);
      }
      // Of the others some were stored; which, depends on whose deletes share their bookkeeping. Now nothing is in the way.
      await Promise.all(keys.map((key) => one.getOrSet({ key, ttl: '1m', factory: () => 'fresh' })));
      for (const [n, key] of keys.entries()) {
        const found = await other.get({ key });
        assert.ok(found === 'fresh' || (n % 2 === 1 && found === 'read before'), `${key}: ${found}`);
      }
    });
  });
}
