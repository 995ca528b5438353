// A page's data through `createCache`: one computation for many callers, stale while a new one is made, cleared by tag
// and by namespace. `node examples/cache/main.mjs` after `npm run build`; with an address it uses that server:
// `redis://127.0.0.1:6379` or `127.0.0.1:11211` (memcached).

import { setTimeout as sleep } from 'node:timers/promises';
import { createCache, memcached, memory, redis } from 'cachalot';

const address = process.argv[2];
const store =
  address === undefined
    ? memory()
    : /^(redis|unix):/.test(address)
      ? redis({ url: address })
      : memcached({ servers: [address] });

const cache = createCache({
  store,
  prefix: 'example-cache',
  ttl: '2s',
  grace: '1h',
  hardTimeout: '5s',
  logger: console,
});

let queries = 0;
/** Stands for a database. */
async function queryProduct(id) {
  queries++;
  await sleep(50);
  return { id, title: 'Mug', stock: 100 - queries };
}

const products = cache.namespace('products');
const product = (id) => products.getOrSet({ key: id, tags: ['shop:1'], factory: () => queryProduct(id) });

await cache.clear();
await Promise.all(Array.from({ length: 50 }, () => product('42')));
console.log(`50 callers at once: ${queries} query`);

console.log('read again:', await product('42'));
await products.expire('42');
console.log('expired, so served stale while a new one is made:', await product('42'));
await sleep(200);
console.log('made meanwhile:', await product('42'), `${queries} queries`);

await cache.deleteByTag({ tags: ['shop:1'] });
console.log('after a clear by tag:', await products.get('42'));
await product('42');
await products.clear();
console.log('after a clear of the namespace:', await cache.get('products:42'));

const { hits, misses, staleHits, factories, latency } = cache.stats();
console.log({ hits, misses, staleHits, factories, 'factory p50 (ms)': latency.factory.p50 });
await cache.close();
