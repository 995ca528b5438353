// Products behind Bentocache, with its own memory in each process and Cachalot as what the processes share.
//
//   npm install bentocache cachalot
//   node products.mjs                                  in process memory
//   CACHE_REDIS=redis://127.0.0.1:6379 node products.mjs
//   CACHE_MEMCACHED=127.0.0.1:11211 node products.mjs

import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { memcached, memory, redis } from 'cachalot';
import { cachalotBusDriver, cachalotDriver } from 'cachalot/bentocache';

const { CACHE_REDIS, CACHE_MEMCACHED } = process.env;

function store() {
  if (CACHE_REDIS) return redis({ url: CACHE_REDIS, prefix: 'shop' });
  if (CACHE_MEMCACHED) return memcached({ servers: CACHE_MEMCACHED.split(','), prefix: 'shop' });
  return memory({ maxBytes: 64 * 1024 * 1024 });
}

const shop = bentostore()
  .useL1Layer(memoryDriver({ maxSize: '10mb' }))
  .useL2Layer(cachalotDriver({ store: store() }));
// With several processes: what one of them changes, the others forget. The bus needs Redis; the layer may be any store.
if (CACHE_REDIS) shop.useBus(cachalotBusDriver({ store: redis({ url: CACHE_REDIS, prefix: 'shop' }) }));

const bento = new BentoCache({ default: 'shop', stores: { shop } });

const products = bento.namespace('products');

async function product(id) {
  return products.getOrSet({
    key: id,
    ttl: '10m',
    grace: '6h',
    tags: ['catalogue'],
    factory: async () => {
      console.log(`  reads ${id} from the database`);
      return { id, title: `Mug ${id}` };
    },
  });
}

console.log('two reads of one product:');
console.log(await product('1'), await product('1'));

console.log('after deleteByTag:');
// Bentocache's times of tags have milliseconds.
await new Promise((resolve) => setTimeout(resolve, 2));
await products.deleteByTag({ tags: ['catalogue'] });
console.log(await product('1'));

console.log('after products.clear():');
await bento.set({ key: 'greeting', value: 'hello' });
await products.clear();
console.log(await product('1'), await bento.get({ key: 'greeting' }));

await bento.disconnectAll();
