// examples/medusa as it stands: each configuration boots, and the cached route does what its README says.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { startMemcached, startRedis } from '../../servers.mjs';
import { boot, eventually } from '../support/app.mjs';

const require = createRequire(import.meta.url);
const compiled = (file) => require(`../.built/example-js/${file}`);

const backends = {
  redis: [startRedis, (port) => ({ CACHE_REDIS_URL: `redis://127.0.0.1:${port}` })],
  memcached: [startMemcached, (port) => ({ MEMCACHED_SERVERS: `127.0.0.1:${port}` })],
  memory: [async () => null, () => ({})],
};

describe('examples/medusa', () => {
  for (const [backend, [start, environmentFor]] of Object.entries(backends)) {
    it(`${backend}/medusa-config.ts boots and the route is cached until a product changes`, async () => {
      const server = await start();
      let medusa;
      try {
        Object.assign(process.env, environmentFor(server?.port));
        const config = compiled(`${backend}/medusa-config.js`);
        assert.equal(config.featureFlags.caching, true);
        medusa = await boot(config.modules.caching.options.providers);
        medusa.catalogue.products.set('prod_1', { id: 'prod_1', title: 'Shirt', handle: 'shirt' });

        const first = await request(medusa);
        assert.deepEqual(first, {
          products: [{ id: 'prod_1', title: 'Shirt', handle: 'shirt' }],
          cached: false,
        });
        assert.deepEqual(await request(medusa), { products: first.products, cached: true });

        medusa.catalogue.products.get('prod_1').title = 'New shirt';
        await medusa.events.emit({ name: 'product.updated', data: { id: 'prod_1' } });
        await eventually(
          'the route shows the new title',
          async () => (await request(medusa)).products[0].title === 'New shirt',
        );
        assert.equal((await request(medusa)).cached, true);
      } finally {
        await medusa?.close();
        await server?.stop();
      }
    });
  }
});

/** What Medusa's router does with the handler, as far as the handler can tell. */
async function request(medusa) {
  const { GET } = compiled('src/api/store/featured-products/route.js');
  const scope = { resolve: (name) => (name === 'query' ? medusa.query : medusa.container.resolve(name)) };
  let body;
  await GET({ scope }, { json: (sent) => (body = JSON.parse(JSON.stringify(sent))) });
  return body;
}
