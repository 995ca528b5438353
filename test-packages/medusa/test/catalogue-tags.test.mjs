// The tags that the benchmark takes for Medusa's are those that Medusa computes, with the joiner configurations of its
// own product and pricing modules.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { before, describe, it } from 'node:test';
import { makeCatalogue } from '../../../examples/catalogue/catalogue.mjs';
import { FIELDS, listing, tagsOf, tagsOfEvent } from '../../../examples/catalogue/listing.mjs';

const require = createRequire(import.meta.url);
const { DefaultCacheStrategy } = require('@medusajs/caching/dist/utils/strategy.js');
const { default: CachingModule } = require('@medusajs/caching/dist/services/cache-module.js');
const { CachingDefaultProvider } = require('@medusajs/caching/dist/types/index.js');
const { MedusaModule } = require('@medusajs/framework/modules-sdk');
const { Modules } = require('@medusajs/framework/utils');
const { joinerConfig: product } = require('@medusajs/product/dist/joiner-config.js');
const { joinerConfig: pricing } = require('@medusajs/pricing/dist/joiner-config.js');

const { products } = makeCatalogue({ products: 400 });
/** What the Caching Module hands to its provider. */
const given = [];
let caching;
let emit;

before(async () => {
  for (const config of [product, pricing]) MedusaModule.setJoinerConfig(config.serviceName, config);
  const provider = {
    get: async () => null,
    set: async (entry) => given.push(entry),
    clear: async (target) => given.push(target),
  };
  caching = new CachingModule(
    {
      cacheProviderService: { retrieveProvider: () => provider },
      [CachingDefaultProvider]: 'recorder',
      strategy: DefaultCacheStrategy,
      hasher: String,
      [Modules.EVENT_BUS]: {
        subscribe: (_, handler) => {
          emit = handler;
        },
      },
    },
    { options: {} },
  );
  await caching.onApplicationStart();
});

/** The last thing that the provider was given. */
const last = () => given.at(-1);

describe('tags of the catalogue', () => {
  for (const fields of Object.keys(FIELDS)) {
    for (const limit of [1, 12, 30, 60, 90, 300]) {
      it(`a page of ${limit} products with the fields "${fields}"`, async () => {
        const data = listing(products, { fields, limit });
        await caching.set({ key: `${fields}:${limit}`, data });
        assert.deepEqual(last().tags, tagsOf(data));
        assert.ok(last().tags.length > 3 * limit, `${last().tags.length} tags`);
      });
    }
  }

  it('an event, of one product and of many that are named twice', async () => {
    const ids = products.slice(0, 50).map(({ id }) => id);
    for (const named of [ids.slice(0, 1), [...ids, ...ids]]) {
      await emit({ name: 'product.updated', data: named.map((id) => ({ id })) });
      assert.deepEqual(last().tags, tagsOfEvent(named));
      assert.deepEqual(last().options, { autoInvalidate: true });
    }
  });
});
