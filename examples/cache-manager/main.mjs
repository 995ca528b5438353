// cache-manager over Cachalot, through Keyv. With the package built (`npm ci && npm run build` at the root), here:
//
//   npm install && npm start
//   REDIS_URL=redis://127.0.0.1:6379 npm start
//   MEMCACHED_SERVER=127.0.0.1:11211 npm start

import { setTimeout as sleep } from 'node:timers/promises';
import { memcached, memory, redis } from 'cachalot';
import { createKeyv } from 'cachalot/keyv';
import { createCache } from 'cache-manager';

const { REDIS_URL, MEMCACHED_SERVER } = process.env;
const prefix = 'cache-manager-example';
const store = REDIS_URL
  ? redis({ url: REDIS_URL, prefix })
  : MEMCACHED_SERVER
    ? memcached({ servers: [MEMCACHED_SERVER], prefix })
    : memory({ prefix });

const keyv = createKeyv({ store, namespace: 'catalogue' });
keyv.on('error', (error) => console.error(error.message));
// A hit within the last 1.5 seconds of its life is served at once, and refreshed behind it.
const cache = createCache({ stores: [keyv], ttl: 2_000, refreshThreshold: 1_500 });
await cache.clear();

let queries = 0;
const product = () =>
  cache.wrap('product:1', async () => {
    queries += 1;
    return { title: 'Mug', query: queries };
  });

console.log('computed:', await product());
console.log('cached:', await product());
await sleep(1_000);
console.log('served while it is refreshed:', await product());
await sleep(300);
console.log('refreshed:', await product());

await cache.mset([
  { key: 'a', value: 1 },
  { key: 'b', value: 2 },
]);
console.log('many:', await cache.mget(['a', 'b', 'c']));
await cache.del('a');
console.log('after del:', await cache.mget(['a', 'b']));
await cache.clear();
console.log('after clear:', await cache.get('product:1'));
await cache.disconnect();
