// What Medusa's Caching Module gets to cache of the catalogue: pages of products as its store API answers them, and the
// tags that it computes for them and clears after an event. test-packages/medusa compares both with Medusa's own.

const pick = (names) => (from) => Object.fromEntries(names.split(' ').map((name) => [name, from[name]]));
const ofGrid = pick('id title handle thumbnail collection images tags');
const ofPage = pick('id title subtitle handle thumbnail description material weight collection options');
const ofVariant = pick('id title sku inventory_quantity variant_rank');

/** Which fields a request asks for: they decide how many tags a page has. */
export const FIELDS = {
  /** A grid of products: some 5 tags a product. */
  grid: ofGrid,
  /** With what there is to choose from: some 15 tags and 2 KB a product. */
  variants: (product) => ({ ...ofPage(product), variants: product.variants.map(ofVariant) }),
  /** Everything, with a price for each variant and currency: some 55 tags a product. */
  prices: (product) => product,
};

/** A page of the store API: `limit` products from `offset` on, starting again after the last. */
export function listing(products, { fields = 'grid', offset = 0, limit = 30 } = {}) {
  return {
    products: Array.from({ length: limit }, (_, at) =>
      FIELDS[fields](products[(offset + at) % products.length]),
    ),
    count: products.length,
    offset,
    limit,
  };
}

/** Prefixes of identifiers in Medusa's product and pricing modules. */
const ENTITIES = {
  prod: 'Product',
  variant: 'ProductVariant',
  opt: 'ProductOption',
  optval: 'ProductOptionValue',
  ptag: 'ProductTag',
  pcol: 'ProductCollection',
  img: 'ProductImage',
  price: 'Price',
};

/** A tag for each entity in the value, and one for each kind of entity; in the order in which a provider gets them. */
export function tagsOf(value) {
  const tags = new Set();
  const visit = (part) => {
    if (part === null || typeof part !== 'object') return;
    const entity = typeof part.id === 'string' ? ENTITIES[part.id.split('_')[0]] : undefined;
    if (entity !== undefined) tags.add(`${entity}:${part.id}`).add(`${entity}:list:*`);
    for (const inner of Object.values(part)) visit(inner);
  };
  visit(value);
  return [...tags].sort();
}

/** The tags of one `product.updated` event. They are not made unique: `Product:list:*` comes once for each id. */
export const tagsOfEvent = (ids) => ids.flatMap((id) => [`Product:${id}`, 'Product:list:*']).sort();
