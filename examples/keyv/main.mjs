// Keyv over Cachalot. With the package built (`npm ci && npm run build` at the root), in this folder:
//
//   npm install && npm start
//   REDIS_URL=redis://127.0.0.1:6379 npm start
//   MEMCACHED_SERVER=127.0.0.1:11211 npm start

import { memcached, memory, redis } from 'cachalot';
import { CachalotKeyv, createKeyv } from 'cachalot/keyv';
import { Keyv } from 'keyv';

const { REDIS_URL, MEMCACHED_SERVER } = process.env;
const prefix = 'keyv-example';
const store = REDIS_URL
  ? redis({ url: REDIS_URL, prefix })
  : MEMCACHED_SERVER
    ? memcached({ servers: [MEMCACHED_SERVER], prefix })
    : // Keyv instances of one name share their memory, as they would share a server.
      memory({ name: 'shop', prefix });

// As with any other adapter: one for each Keyv.
const users = new Keyv({ store: new CachalotKeyv({ store }), namespace: 'users', ttl: 60_000 });
users.on('error', (error) => console.error(error.message));

// Or in one call, which leaves the namespace to the adapter.
const products = createKeyv({ store, namespace: 'products', ttl: 60_000 });
products.on('error', (error) => console.error(error.message));

await users.set('1', { name: 'Ada' });
await products.set('1', { title: 'Mug' });
await products.set('2', { title: 'Bowl' }, 5_000);
console.log('user 1:', await users.get('1'));
console.log('products 1, 2, 3:', await products.get(['1', '2', '3']));

// Memcached cannot list its keys, so there is no iterator on it.
if (products.iterator) {
  const titles = [];
  for await (const [key, product] of products.iterator()) titles.push(`${key} ${product.title}`);
  console.log('all products:', titles.sort());
}

// One round trip, whether the namespace has two entries or a million; the users are still there.
await products.clear();
console.log('products after the clear:', await products.get(['1', '2']));
console.log('users after the clear:', await users.get('1'));

await users.clear();
await Promise.all([users.disconnect(), products.disconnect()]);
