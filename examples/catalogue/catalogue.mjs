// A catalogue in the shape in which Medusa's store API gives products: variants with prices, options, images,
// collection, tags. Seeded, so that two runs work on the same data.

import { seeded } from './random.mjs';
import { ADJECTIVES, COLLECTIONS, CURRENCIES, MATERIALS, SENTENCES, TAGS, TYPES } from './words.mjs';

const CREATED = '2025-03-01T09:00:00.000Z';

/**
 * @param {{ products?: number, seed?: number }} [options] @default 3000 products of seed 1
 */
export function makeCatalogue({ products: count = 3_000, seed = 1 } = {}) {
  const random = seeded(seed);
  const collections = COLLECTIONS.map((title) => ({
    id: random.id('pcol'),
    title,
    handle: handleOf(title),
    created_at: CREATED,
  }));
  const tags = TAGS.map((value) => ({ id: random.id('ptag'), value }));
  const products = Array.from({ length: count }, (_, index) => makeProduct(random, index, collections, tags));
  return { products, collections };
}

function makeProduct(random, index, collections, tags) {
  const id = random.id('prod');
  const type = random.pick(TYPES);
  const material = random.pick(MATERIALS);
  const collection = random.pick(collections);
  const title = `${random.pick(ADJECTIVES)} ${type.name} in ${material}`;
  const handle = `${handleOf(title)}-${index + 1}`;
  const options = Object.entries(type.options).map(([name, values]) => ({
    id: random.id('opt'),
    title: name,
    product_id: id,
    values: values.map((value) => ({ id: random.id('optval'), value })),
  }));
  const euros = random.integer(...type.price);
  return {
    id,
    title,
    handle,
    subtitle: random.pick(SENTENCES),
    description: random.some(SENTENCES, random.integer(3, 7)).join(' '),
    status: 'published',
    is_giftcard: false,
    discountable: random.next() < 0.9,
    thumbnail: imageUrl(handle, 1),
    weight: random.integer(80, 2_400),
    material,
    origin_country: random.pick(['pt', 'dk', 'fr', 'jp', 'pl', 'gr']),
    collection_id: collection.id,
    collection,
    type: { value: type.name },
    tags: random.some(tags, random.integer(1, 4)),
    images: Array.from({ length: random.integer(1, 5) }, (_, rank) => ({
      id: random.id('img'),
      url: imageUrl(handle, rank + 1),
      rank,
    })),
    options,
    variants: combinations(options).map((chosen, rank) =>
      makeVariant(random, id, index, chosen, rank, euros),
    ),
    metadata: null,
    created_at: CREATED,
    updated_at: new Date(Date.parse(CREATED) + random.integer(0, 86_400) * 1_000).toISOString(),
  };
}

function makeVariant(random, productId, index, chosen, rank, euros) {
  return {
    id: random.id('variant'),
    product_id: productId,
    title: chosen.map(({ value }) => value.value).join(' / '),
    sku: `SKU-${String(index + 1).padStart(5, '0')}-${rank + 1}`,
    barcode: String(random.integer(4_000_000_000_000, 4_999_999_999_999)),
    manage_inventory: true,
    allow_backorder: false,
    inventory_quantity: random.integer(0, 120),
    variant_rank: rank,
    options: chosen.map(({ option, value }) => ({ id: value.id, value: value.value, option_id: option.id })),
    prices: Object.entries(CURRENCIES).map(([currency_code, rate]) => ({
      id: random.id('price'),
      currency_code,
      amount: currency_code === 'jpy' ? Math.round(euros * rate) : Math.round(euros * rate * 100) / 100,
      min_quantity: null,
      max_quantity: null,
    })),
    created_at: CREATED,
  };
}

/** Every choice of one value an option. */
function combinations(options) {
  return options.reduce(
    (chosen, option) =>
      chosen.flatMap((before) => option.values.map((value) => [...before, { option, value }])),
    [[]],
  );
}

/** Lower case and hyphens; letters of every alphabet stay, accents go. */
function handleOf(title) {
  return title
    .normalize('NFD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, '-')
    .replace(/^-|-$/g, '');
}

function imageUrl(handle, n) {
  return `https://shop.example/images/${encodeURIComponent(handle)}-${n}.webp`;
}
