// Products as a shop's API would cache them: nested, with ids, prices, dates and prose, from a seeded generator, so that
// compression sees what it would see in life and every run sees the same bytes. Their text is of three kinds, for that is
// what string creation depends on: ASCII; letters that V8 keeps in one byte and UTF-8 in two; letters it keeps in two.

import { seeded } from '../examples/catalogue/random.mjs';

const WORDS = (
  'organic cotton relaxed fit heavy knit crew neck washed denim straight leg merino wool scarf quilted jacket water ' +
  'repellent shell recycled polyester lining everyday canvas tote brushed fleece hooded sweatshirt linen summer shirt ' +
  'made in Portugal with care for long days outside and easy to wash at ' +
  'low temperature do not bleach tumble dry iron when damp keeps its shape after many washes'
).split(' ');
const COLOURS = ['Black', 'Blue', 'Forest', 'Navy', 'Rust', 'Sand', 'Sky', 'White'];
/** What is mixed into prose and colours, so that nearly every value has some. */
const MIXED = {
  ascii: [],
  latin1: 'café crème Größe naïve façade piñata jalapeño Écru für très añil sérigraphié'.split(' '),
  utf16: '綿 シャツ хлопок 外套 ウール рубашка 毛衣 льняной 麻布 デニム'.split(' '),
};
const SIZES = ['XS', 'S', 'M', 'L', 'XL', 'XXL'];
const CURRENCIES = ['eur', 'usd', 'gbp', 'dkk'];

const bytesOf = (value) => Buffer.byteLength(JSON.stringify(value));

/** A product whose JSON has exactly `bytes` bytes (at least 200) of UTF-8. @param text `ascii`, `latin1` or `utf16` */
export function product(bytes, seed, text = 'ascii') {
  const { next: random, pick } = seeded(seed);
  const mixed = MIXED[text];
  const words = [...WORDS, ...mixed, ...mixed];
  const colours = mixed.length === 0 ? COLOURS : [...COLOURS.slice(0, 4), ...mixed.slice(0, 4)];
  const id = (prefix) =>
    `${prefix}_01J${Array.from({ length: 16 }, () => pick([...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'])).join('')}`;
  const prose = (count) => Array.from({ length: count }, () => pick(words)).join(' ');
  const value = {
    id: id('prod'),
    title: mixed.length === 0 ? prose(2) : `${pick(mixed)} ${prose(1)}`,
    handle: `${pick(WORDS)}-${pick(WORDS)}`,
    status: 'published',
    price: Math.round(random() * 20_000) / 100,
    description: '',
  };
  // The size is kept by addition: measuring the whole after each element would be quadratic.
  const fill = (key, next) => {
    value[key] = [];
    let size = bytesOf(value);
    for (;;) {
      const element = next();
      size += bytesOf(element) + 1;
      if (size > bytes) break;
      value[key].push(element);
    }
    if (value[key].length === 0) delete value[key];
  };
  if (bytes >= 1_000) {
    value.collection = { id: id('pcol'), title: prose(2) };
    value.created_at = new Date(1_700_000_000_000 + Math.floor(random() * 3e10)).toISOString();
    // A fifth of the bytes is prose, the rest variants with their prices and stock.
    value.description = prose(Math.floor(bytes / 40));
    const variant = () => ({
      id: id('variant'),
      sku: `${pick(COLOURS).slice(0, 3).toUpperCase()}-${Math.floor(random() * 1e6)}`,
      title: `${pick(colours)} / ${pick(SIZES)}`,
      inventory_quantity: Math.floor(random() * 500),
      allow_backorder: random() < 0.2,
      prices: CURRENCIES.map((currency_code) => ({
        currency_code,
        amount: Math.round(random() * 30_000) / 100,
      })),
      metadata: random() < 0.5 ? null : { note: prose(4) },
    });
    fill('variants', variant);
    fill('images', () => ({ id: id('img'), url: `https://shop.example/${id('file')}.webp` }));
  }
  // What is left over, to the byte.
  while (bytes - bytesOf(value) > 12) value.description += ` ${pick(WORDS)}`;
  const left = bytes - bytesOf(value);
  if (left < 0) throw new RangeError(`A product takes more than ${bytes} bytes.`);
  value.description += 'x'.repeat(left);
  return value;
}

/** Five tags of the kind that Medusa's Caching Module computes for a product. */
export function tagsOf(value, seed) {
  const { integer } = seeded(seed);
  const some = (name, count) => `${name}:${name.toLowerCase()}_${integer(0, count - 1)}`;
  return [
    'Product:list:*',
    `Product:${value.id}`,
    some('ProductCollection', 12),
    some('ProductCategory', 40),
    some('SalesChannel', 3),
  ];
}
