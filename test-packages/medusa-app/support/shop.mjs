// The application of this folder, started in this process as `medusa start` starts it, but for the HTTP server.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { traceCaching } from '../../caching-trace.mjs';

const require = createRequire(import.meta.url);

/** The first products of the shop by their ids, with all that a category page shows of them. */
const FIELDS = [
  ...['*', 'variants.*', 'variants.options.*', 'variants.prices.*'],
  ...['options.*', 'options.values.*', 'images.*'],
];

/**
 * Starts it. One application a process: Medusa keeps its container in a global.
 *
 * @param {{ resolve: string, options?: object }} provider the default provider of the Caching Module
 * @param {string} database
 * @param {string} [cachingModule] another package than `@medusajs/medusa/caching`
 */
export async function startShop(provider, database, cachingModule) {
  process.env.DATABASE_URL = `${process.env.SHOP_POSTGRES}/${database}`;
  process.env.SHOP_PROVIDER = JSON.stringify(provider);
  if (cachingModule !== undefined) process.env.SHOP_CACHING_MODULE = cachingModule;
  const { default: load } = require('@medusajs/medusa/loaders/index');
  const { container, shutdown } = await load({
    directory: fileURLToPath(new URL('..', import.meta.url)),
    expressApp: require('express')(),
    skipLoadingEntryPoints: true,
  });
  const { Modules } = require('@medusajs/framework/utils');
  const caching = container.resolve(Modules.CACHING);
  const query = container.resolve('query');
  const knex = container.resolve('__pg_connection__');
  const trace = traceCaching(caching.constructor);
  let statements = 0;
  knex.on('query', () => statements++);
  const workflow = (name, input) => require('@medusajs/medusa/core-flows')[name](container).run({ input });

  return {
    caching,
    /** Postgres itself, past Medusa: nothing hears of what it changes. */
    knex,
    trace,
    events: container.resolve(Modules.EVENT_BUS),
    provider: caching.providerService.retrieveProvider('cachalot'),

    /** @returns the listing of the first `size` products, and how many statements the database was sent for it */
    async list(size, cache = { enable: true }) {
      const before = statements;
      const answer = await query.graph(
        { entity: 'product', fields: FIELDS, pagination: { skip: 0, take: size, order: { id: 'ASC' } } },
        { cache },
      );
      const asked = statements - before;
      await trace.settled();
      // As a store's page would get it: of dates as text.
      return { answer: JSON.parse(JSON.stringify(answer)), asked };
    },

    /** As the admin's form does; returns when all that heard of it is done. */
    async rename(id, title) {
      await workflow('updateProductsWorkflow', { selector: { id }, update: { title } });
      await trace.settled();
    },

    /** Gives a variant's price another amount. */
    async reprice({ id, prices }, changed, amount) {
      const all = prices.map((price) => (price.id === changed.id ? { ...price, amount } : price));
      const product_variants = [
        { id, prices: all.map(({ id, currency_code, amount }) => ({ id, currency_code, amount })) },
      ];
      await workflow('updateProductVariantsWorkflow', { product_variants });
      await trace.settled();
    },

    async stop() {
      await caching.providerService.retrieveProvider('cachalot').close();
      await shutdown();
    },
  };
}
