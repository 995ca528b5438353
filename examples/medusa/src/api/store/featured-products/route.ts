import type { MedusaRequest, MedusaResponse } from '@medusajs/framework/http';
import { ContainerRegistrationKeys, Modules } from '@medusajs/framework/utils';

type FeaturedProduct = { id: string; title: string; handle: string };

const FIELDS = ['id', 'title', 'handle'];
/** Seconds. An update of a product clears the list long before; this bounds what no event announces. */
const TTL = 15 * 60;

/** GET /store/featured-products: the newest products, from the cache where it can. */
export async function GET(req: MedusaRequest, res: MedusaResponse): Promise<void> {
  const caching = req.scope.resolve(Modules.CACHING);
  const query = req.scope.resolve(ContainerRegistrationKeys.QUERY);

  const key = await caching.computeKey({ route: 'featured-products', fields: FIELDS });
  const cached: FeaturedProduct[] | null = await caching.get({ key });
  if (cached !== null) {
    res.json({ products: cached, cached: true });
    return;
  }

  // The get above remembered the miss: if a product changes from here on, the set below stores nothing that is served.
  const { data } = await query.graph({
    entity: 'product',
    fields: FIELDS,
    pagination: { take: 12, skip: 0 },
  });
  const products = data as FeaturedProduct[];
  await caching.set({
    key,
    data: products,
    ttl: TTL,
    // Medusa clears these tags by itself when a product is created, updated or deleted.
    tags: ['Product:list:*', ...products.map(({ id }) => `Product:${id}`)],
  });
  res.json({ products, cached: false });
}
