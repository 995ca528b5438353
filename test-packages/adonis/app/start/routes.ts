import cache from '@adonisjs/cache/services/main';
import router from '@adonisjs/core/services/router';
import { database, read } from './database.js';

type Store = 'main' | 'layered' | 'other';
interface Request {
  input(name: string): unknown;
}

const store = (request: Request) => cache.use(request.input('store') as Store | undefined);

// Kept: Bentocache has its locks in the object that namespace() makes.
const products = new Map<unknown, ReturnType<typeof cache.namespace>>();

function productsOf(request: Request) {
  const name = request.input('store');
  const found = products.get(name) ?? store(request).namespace('products');
  products.set(name, found);
  return found;
}

router.get('/products/:id', async ({ params, request }) => {
  const { id } = params;
  return productsOf(request).getOrSet({
    key: id,
    ttl: Number(request.input('ttl', 60_000)),
    grace: '10m',
    graceBackoff: '1s',
    timeout: Number(request.input('timeout', 100)),
    hardTimeout: '500ms',
    tags: [`product-${id}`],
    factory: () => read(id),
  });
});

router.delete('/products', async ({ request }) => {
  await productsOf(request).clear();
  return { cleared: true };
});

router.delete('/tags/:tag', async ({ params, request }) => {
  return { cleared: await store(request).deleteByTag({ tags: [params.tag] }) };
});

router.delete('/products/tags/:tag', async ({ params, request }) => {
  return {
    cleared: await store(request)
      .namespace('products')
      .deleteByTag({ tags: [params.tag] }),
  };
});

router.get('/keys/:key', async ({ params, request }) => ({
  value: (await store(request).get({ key: params.key })) ?? null,
}));

router.put('/keys/:key', async ({ params, request }) => ({
  stored: await store(request).set({ key: params.key, value: request.input('value'), ttl: '1m' }),
}));

router.get('/database', () => database);

router.put('/database', ({ request }) => {
  for (const name of ['price', 'delay'] as const) {
    const given = request.input(name);
    if (given !== undefined) database[name] = Number(given);
  }
  database.down = request.input('down') === 'true';
  return database;
});

router.get('/', ({ view }) => view.render('home'));
