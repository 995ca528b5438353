// What a shop may expect of its cached listings, on any store.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { stores } from '../../medusa-stores.mjs';
import { databaseOf } from './databases.mjs';
import { startShop } from './shop.mjs';

const SIZES = [30, 60, 90, 300];
/** Two names an id, so that the clear has more than 10,000. */
const IMPORTED = 5_001;

/** @param {keyof typeof stores} id */
export function describeListings(id) {
  describe(`listings of a Medusa shop with ${id} as the default provider`, () => {
    let server;
    let shop;

    before(async () => {
      const { server: started, provider } = await stores[id]();
      server = started;
      shop = await startShop(provider, databaseOf(id));
    });

    after(async () => {
      await shop?.stop();
      await server?.stop();
    });

    /** The products of a listing by their ids, since Medusa gives variants in no certain order. */
    const listed = async (size) => {
      const { answer } = await shop.list(size);
      assert.equal(answer.data.length, size);
      return new Map(answer.data.map((product) => [product.id, product]));
    };
    const titles = async (size) => [...(await listed(size)).values()].map(({ title }) => title);

    /** Has every listing in the cache, whatever a test before this one has left. */
    const cacheAll = async () => {
      for (const size of SIZES) await shop.list(size);
      for (const size of SIZES) {
        assert.equal((await shop.list(size)).asked, 0, `the listing of ${size} is cached`);
      }
    };

    it('show variants, options, images and prices, and have many tags', async (test) => {
      for (const size of SIZES) {
        const { answer } = await shop.list(size, { enable: false });
        assert.equal(answer.data.length, size);
        for (const { id, variants, options, images } of answer.data) {
          for (const part of [variants, options, images]) assert.ok(part.length > 0, id);
          for (const { prices } of variants) assert.ok(prices.length > 0, id);
          for (const { values } of options) assert.ok(values.length > 0, id);
        }
        const tags = await shop.caching.computeTags(answer);
        const kilobytes = Math.round(JSON.stringify(answer).length / 1_000);
        test.diagnostic(`${size} products: ${tags.length} tags, ${kilobytes} kB of JSON`);
        assert.ok(tags.length > 128, `only ${tags.length} tags for ${size} products`);
      }
    });

    for (const size of SIZES) {
      it(`of ${size} products are stored, and served from the cache`, async () => {
        await shop.caching.clear({ tags: ['*'] });
        const { hits, sets } = shop.provider.stats();
        const first = await shop.list(size);
        assert.ok(first.asked > 0);
        assert.equal(shop.provider.stats().sets, sets + 1);
        const second = await shop.list(size);
        assert.equal(second.asked, 0, 'statements sent to the database');
        assert.equal(shop.provider.stats().hits, hits + 1);
        assert.deepEqual(second.answer, first.answer);
      });
    }

    it('are all refreshed by an update of one product', async () => {
      await cacheAll();
      const [product] = (await listed(Math.min(...SIZES))).values();
      const title = `${product.title}, updated`;
      await shop.rename(product.id, title);
      for (const size of SIZES) assert.equal((await listed(size)).get(product.id).title, title);
    });

    it('are all refreshed by a new price', async () => {
      await cacheAll();
      const [product] = (await listed(Math.min(...SIZES))).values();
      const [variant] = product.variants;
      const [price] = variant.prices;
      const amount = price.amount + 1;
      await shop.reprice(variant, price, amount);
      for (const size of SIZES) {
        const shown = (await listed(size)).get(product.id).variants.find(({ id }) => id === variant.id);
        assert.equal(shown.prices.find(({ id }) => id === price.id).amount, amount);
      }
    });

    it('are all refreshed by an import', async () => {
      await cacheAll();
      const before = new Map();
      for (const size of SIZES) before.set(size, await titles(size));
      await shop.knex('product').update({ title: shop.knex.raw(`title || ', imported'`) });
      for (const size of SIZES) {
        assert.deepEqual(await titles(size), before.get(size), 'nothing has told the cache yet');
      }

      const products = await shop.knex('product').orderBy('id').pluck('id');
      const ids = Array.from({ length: IMPORTED }, (_, n) => products[n] ?? `prod_imported_${n}`);
      // As Medusa's modules tell of several at once: their event builder puts an array where one id would be.
      await shop.events.emit(
        {
          name: 'product.product.updated',
          metadata: { source: 'product', object: 'product', action: 'updated' },
          data: { id: ids },
        },
        { internal: true },
      );
      await shop.trace.settled();
      const names = shop.trace.clears.at(-1).length;
      assert.ok(names >= 2 * IMPORTED, `a clear of ${names} names`);
      for (const size of SIZES) {
        const now = before.get(size).map((title) => `${title}, imported`);
        assert.deepEqual(await titles(size), now);
      }
    });

    it('stay when something else changes', async () => {
      await cacheAll();
      await shop.events.emit({ name: 'customer.updated', data: { id: 'cus_1' } });
      await shop.trace.settled();
      for (const size of SIZES) assert.equal((await shop.list(size)).asked, 0);
    });
  });
}
