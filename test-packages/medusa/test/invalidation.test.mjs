// Automatic invalidation as a shop runs it: Query caches, an event comes over the bus, the Caching Module's own strategy
// turns it into tags, and the next query reads the database again.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { stores } from '../../medusa-stores.mjs';
import { boot, eventually } from '../support/app.mjs';

for (const [id, prepare] of Object.entries(stores)) {
  describe(`automatic invalidation with ${id} as the default provider`, () => {
    let server;
    let medusa;

    before(async () => {
      const { server: started, provider } = await prepare();
      server = started;
      medusa = await boot([{ id, is_default: true, ...provider }]);
      for (const n of [1, 2])
        medusa.catalogue.products.set(`prod_${n}`, { id: `prod_${n}`, title: `Shirt ${n}` });
    });

    after(async () => {
      await medusa?.close();
      await server?.stop();
    });

    const shirt = async (cache) => {
      const question = { entity: 'product', fields: ['id', 'title'], filters: { id: 'prod_1' } };
      const { data } = await medusa.query.graph(question, { cache });
      return data[0].title;
    };

    it('query.graph reads once, then from the cache, until product.updated', async () => {
      const reads = () => medusa.catalogue.reads;
      const before = reads();
      assert.equal(await shirt({ enable: true }), 'Shirt 1');
      // Query does not await its set.
      await eventually('the query is answered by the cache', async () => {
        const seen = reads();
        assert.equal(await shirt({ enable: true }), 'Shirt 1');
        return reads() === seen;
      });
      assert.ok(reads() > before);

      medusa.catalogue.products.get('prod_1').title = 'Shirt 1, new';
      assert.equal(await shirt({ enable: true }), 'Shirt 1', 'nothing has told the cache yet');
      await medusa.events.emit({ name: 'product.updated', data: { id: 'prod_1' } });
      await eventually('the new title', async () => (await shirt({ enable: true })) === 'Shirt 1, new');
    });

    it('leaves alone what was cached with autoInvalidate: false, and what the event does not name', async () => {
      const { caching } = medusa;
      await caching.set({ key: 'named', data: { n: 1 }, tags: ['Product:prod_2'] });
      await caching.set({
        key: 'manual',
        data: { n: 2 },
        tags: ['Product:prod_2'],
        options: { autoInvalidate: false },
      });
      await caching.set({ key: 'other', data: { n: 3 }, tags: ['Product:prod_77'] });
      await medusa.events.emit({ name: 'product.updated', data: { id: 'prod_2' } });
      await eventually('the named entry is gone', async () => (await caching.get({ key: 'named' })) === null);
      assert.deepEqual(await caching.get({ key: 'manual' }), { n: 2 });
      assert.deepEqual(await caching.get({ key: 'other' }), { n: 3 });
      await caching.clear({ tags: ['Product:prod_2'] });
      assert.equal(await caching.get({ key: 'manual' }), null);
    });

    it('clears by the tags that the strategy computed from the data', async () => {
      const { caching } = medusa;
      const data = { products: [{ id: 'prod_1', title: 'Shirt' }] };
      await caching.set({ key: 'computed', data });
      assert.deepEqual(await caching.get({ key: 'computed' }), data);
      assert.deepEqual(await caching.get({ tags: ['Product:prod_1'] }), [data]);
      await medusa.events.emit({ name: 'product.deleted', data: { id: 'prod_1' } });
      await eventually('the list is gone', async () => (await caching.get({ key: 'computed' })) === null);
    });

    it('does not store what was read before the event and set after it', async () => {
      const { caching } = medusa;
      assert.equal(await caching.get({ key: 'slow' }), null);
      const readBefore = { id: 'prod_1', title: 'old' };
      await caching.set({ key: 'witness', data: { n: 1 }, tags: ['Product:prod_1'] });
      await medusa.events.emit({ name: 'product.updated', data: { id: 'prod_1' } });
      await eventually('the event arrived', async () => (await caching.get({ key: 'witness' })) === null);
      await caching.set({ key: 'slow', data: readBefore, tags: ['Product:prod_1'] });
      assert.equal(await caching.get({ key: 'slow' }), null, 'the old data is not served');
      await caching.set({ key: 'slow', data: { id: 'prod_1', title: 'new' }, tags: ['Product:prod_1'] });
      assert.deepEqual(await caching.get({ key: 'slow' }), { id: 'prod_1', title: 'new' });
    });
  });
}
