// A shop's catalogue, cached: cold, warm, after an update, and what compression makes of it. Every number is measured
// in this run; the run fails if a read gives anything else than it must.

import { isDeepStrictEqual } from 'node:util';
import { makeCatalogue } from '../catalogue/catalogue.mjs';
import { openCache, Unreachable } from './cache.mjs';
import { Database, QUERY_MS } from './database.mjs';
import { readOptions } from './options.mjs';
import { bytes, count, micros, percentile, table } from './report.mjs';
import { CONCURRENCY, keyOf, Shop, tagsOf } from './shop.mjs';

const options = readOptions(process.argv.slice(2));
if (options.help !== undefined) {
  console.log(options.help);
} else if (options.error !== undefined) {
  console.error(options.error);
  process.exitCode = 1;
} else {
  await demonstrate(options);
}

async function demonstrate(options) {
  const where = {
    memory: "this process's memory",
    redis: `Redis at ${withoutPassword(options.address)}`,
    memcached: `memcached at ${withoutPassword(options.address)}`,
  }[options.backend];
  let cache;
  try {
    cache = await openCache(options);
  } catch (error) {
    if (!(error instanceof Unreachable) && error.code === undefined) throw error;
    console.error(`${where} cannot be used:\n${error.message}`);
    process.exitCode = 1;
    return;
  }
  try {
    await tour(options, cache, where);
  } finally {
    await cache.clear({ tags: ['*'] });
    await cache.close();
  }
}

async function tour(options, cache, where) {
  const catalogue = makeCatalogue(options);
  const database = new Database(catalogue);
  const shop = new Shop(cache, database);
  const views = [
    ...catalogue.products.map(({ handle }) => ({ kind: 'product', handle })),
    ...Array.from({ length: database.pages }, (_, page) => ({ kind: 'page', page })),
    ...catalogue.collections.map(({ id }) => ({ kind: 'collection', collection: id })),
  ];
  console.log(`Cachalot in ${where}`);
  console.log(
    `${count(catalogue.products.length)} products (seed ${options.seed}) in ${count(views.length)} views: ` +
      `each product, ${count(database.pages)} listing pages, ${catalogue.collections.length} collections.\n` +
      `The database is simulated: every query takes ${QUERY_MS} ms. ${CONCURRENCY} requests at a time.\n`,
  );

  // Whatever an earlier run left on a server.
  await cache.clear({ tags: ['*'] });
  const cold = await shop.readAll(views);
  expect('the first read finds nothing', cold.hits === 0);
  const warm = await shop.readAll(views);
  expect('the second read misses nothing', warm.missed.length === 0);
  expect('every value is what the database gave', isDeepStrictEqual(warm.values, cold.values));

  // Early enough in the catalogue to be on its collection's page too.
  const product = catalogue.products[Math.floor(catalogue.products.length / 30)];
  const before = product.title;
  const title = `${before} (2nd edition)`;
  database.updateTitle(product.handle, title);
  const clearing = performance.now();
  await shop.productUpdated(product.id);
  const clearMs = performance.now() - clearing;
  const tag = `Product:${product.id}`;
  const showing = views.filter((view) => tagsOf(view, cold.values.get(keyOf(view))).includes(tag)).map(keyOf);
  const after = await shop.readAll(views);
  const exact = isDeepStrictEqual([...after.missed].sort(), [...showing].sort());
  expect('after the update exactly the views that show the product miss', exact);
  expect('the new title is served', after.values.get(`product:${product.handle}`).title === title);

  const rows = [
    ['cold: nothing is cached', cold],
    ['warm: the same again', warm],
    ['after one product changed', after],
  ].map(([what, { hits, missed, ms, micros: each }]) => [
    ...[what, count(hits + missed.length), count(hits), count(missed.length), `${count(ms)} ms`],
    ...[
      count(((hits + missed.length) / ms) * 1_000),
      micros(percentile(each, 0.5)),
      micros(percentile(each, 0.99)),
    ],
  ]);
  console.log(table([['', 'reads', 'hits', 'misses', 'took', 'reads/s', 'p50', 'p99'], ...rows]));
  console.log(
    `\nOne update: "${before}" got a new title, and the tag ${tag} was cleared in ${micros(clearMs * 1_000)}.\n` +
      `${after.missed.length} of ${count(views.length)} views show that product, and exactly those were read anew:\n` +
      showing.map((key) => `  ${key}`).join('\n'),
  );
  console.log(`\n${await compressionReport(options, cache, views, warm.values)}`);
}

/** What came in and what is kept, from the provider's own counters. */
async function compressionReport(options, cache, views, values) {
  if (options.backend !== 'memory') {
    const { bytesIn, bytesStored } = cache.stats();
    return `Compression (zstd 1 from 2,048 bytes): ${ratio(bytesIn, bytesStored)}.`;
  }
  const packed = await openCache(options, { compression: { enabled: true, threshold: 2_048 } });
  for (const view of views) {
    const data = values.get(keyOf(view));
    await packed.set({ key: keyOf(view), data, tags: tagsOf(view, data) });
  }
  const { bytesIn, bytesStored } = packed.stats();
  await packed.close();
  return (
    'Process memory keeps values as they are by default. The same values in a second provider with\n' +
    `compression switched on (zstd 1 from 2,048 bytes): ${ratio(bytesIn, bytesStored)}.`
  );
}

function ratio(before, after) {
  return `${bytes(before)} of JSON are kept in ${bytes(after)}, ${(before / after).toFixed(1)} times smaller`;
}

function expect(what, holds) {
  if (!holds) throw new Error(`The demo expected that ${what}; that was not so.`);
}

function withoutPassword(address) {
  // Up to the last @: a password may hold one, unencoded by mistake.
  return address?.replace(/\/\/.*@/, '//…@');
}
