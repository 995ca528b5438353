// Listings as a shop asks for them, of up to several hundred products: Medusa computes thousands of tags for one. They are
// stored, served and refreshed all the same, and an import names as many products as it likes.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeCatalogue } from '../../../examples/catalogue/catalogue.mjs';
import { traceCaching } from '../../caching-trace.mjs';
import { stores } from '../../medusa-stores.mjs';
import { boot } from '../support/app.mjs';

const SIZES = [30, 60, 90, 300];
/** Two names an id, so that the clear has more than 10,000. */
const IMPORTED = 5_001;

const FIELDS = [
  ...['*', 'variants.*', 'variants.options.*', 'variants.prices.*'],
  ...['options.*', 'options.values.*', 'images.*'],
];

describe('the tags that Medusa computes for a listing', () => {
  it('name each product, variant, option, value, image and price in it', async (test) => {
    const { provider } = await stores.memory();
    const medusa = await boot([{ id: 'memory', is_default: true, ...provider }]);
    try {
      fill(medusa.catalogue);
      for (const size of SIZES) {
        const question = { entity: 'product', fields: FIELDS, pagination: { skip: 0, take: size } };
        const answer = await medusa.query.graph(question);
        const tags = await medusa.caching.computeTags(answer);
        test.diagnostic(`${size} products: ${tags.length} tags`);
        assert.deepEqual(tags.sort(), expectedTags(answer.data, medusa.catalogue.entities));
        assert.ok(tags.length > 128, `only ${tags.length} tags for ${size} products`);
      }
    } finally {
      await medusa.close();
    }
  });
});

for (const [id, prepare] of Object.entries(stores)) {
  describe(`listings with ${id} as the default provider`, () => {
    let server;
    let medusa;
    let trace;

    before(async () => {
      const { server: started, provider } = await prepare();
      server = started;
      medusa = await boot([{ id, is_default: true, ...provider }]);
      trace = traceCaching(medusa.caching.constructor);
      fill(medusa.catalogue);
    });

    after(async () => {
      await medusa?.close();
      await server?.stop();
    });

    /** Asks for the first `size` products. @returns them, and whether the cache had them */
    const list = async (size) => {
      const before = medusa.catalogue.reads;
      const question = { entity: 'product', fields: FIELDS, pagination: { skip: 0, take: size } };
      const answer = await medusa.query.graph(question, { cache: { enable: true } });
      await trace.settled();
      assert.equal(answer.data.length, size);
      return { answer, cached: medusa.catalogue.reads === before };
    };

    /** Has every listing in the cache, whatever a test before this one has left. */
    const cacheAll = async () => {
      for (const size of SIZES) await list(size);
      for (const size of SIZES) assert.ok((await list(size)).cached, `the listing of ${size} is cached`);
    };

    const titles = async (size) => (await list(size)).answer.data.map(({ title }) => title);

    for (const size of SIZES) {
      it(`of ${size} products are stored, and served from the cache`, async () => {
        await medusa.caching.clear({ tags: ['*'] });
        const first = await list(size);
        assert.equal(first.cached, false);
        const second = await list(size);
        assert.equal(second.cached, true);
        assert.deepEqual(second.answer, first.answer);
      });
    }

    it('are all refreshed by an update of one product', async () => {
      await cacheAll();
      const [product] = medusa.catalogue.products.values();
      const before = product.title;
      product.title = `${before}, updated`;
      for (const size of SIZES)
        assert.equal((await titles(size))[0], before, 'nothing has told the cache yet');

      await medusa.events.emit({ name: 'product.updated', data: { id: product.id } });
      await trace.settled();
      for (const size of SIZES) assert.equal((await titles(size))[0], `${before}, updated`);
    });

    it('are all refreshed by an import', async () => {
      await cacheAll();
      const products = [...medusa.catalogue.products.values()];
      const before = products.map(({ title }) => title);
      for (const product of products) product.title += ', imported';
      for (const size of SIZES) assert.deepEqual(await titles(size), before.slice(0, size));

      const ids = Array.from({ length: IMPORTED }, (_, n) => products[n]?.id ?? `prod_imported_${n}`);
      await medusa.events.emit(
        {
          name: 'product.product.updated',
          metadata: { source: 'product', object: 'product', action: 'updated' },
          data: { id: ids },
        },
        { internal: true },
      );
      await trace.settled();
      assert.ok(trace.clears.at(-1).length >= 2 * IMPORTED, `a clear of ${trace.clears.at(-1).length} names`);
      const now = before.map((title) => `${title}, imported`);
      for (const size of SIZES) assert.deepEqual(await titles(size), now.slice(0, size));
    });

    it('go by each of their tags, down to the last', async () => {
      await cacheAll();
      const [least, most] = [Math.min(...SIZES), Math.max(...SIZES)];
      const last = (await list(most)).answer.data.at(-1).variants.at(-1).prices.at(-1);
      await medusa.caching.clear({ tags: [`Price:${last.id}`] });
      assert.equal((await list(least)).cached, true, `the listing of ${least} does not show this price`);
      assert.equal((await list(most)).cached, false, `the listing of ${most} does`);
    });

    it('stay when something else changes', async () => {
      await cacheAll();
      await medusa.events.emit({ name: 'customer.updated', data: { id: 'cus_1' } });
      await medusa.events.emit({ name: 'product-category.updated', data: { id: 'pcat_1' } });
      await trace.settled();
      for (const size of SIZES) assert.equal((await list(size)).cached, true);
    });
  });
}

/** More products than the largest listing shows. */
function fill(catalogue) {
  const { products } = makeCatalogue({ products: Math.max(...SIZES) + 1 });
  for (const product of products) catalogue.products.set(product.id, product);
}

/** A tag for each object with an id, and one for each kind, since an update may change what a list holds. */
function expectedTags(products, entities) {
  const tags = new Set();
  const visit = (value) => {
    if (typeof value !== 'object' || value === null) return;
    if (typeof value.id === 'string') {
      const entity = entities[value.id.split('_')[0]];
      tags.add(`${entity}:${value.id}`).add(`${entity}:list:*`);
    }
    Object.values(value).forEach(visit);
  };
  visit(products);
  return [...tags].sort();
}
