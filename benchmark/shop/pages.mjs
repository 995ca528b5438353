// What the shop caches, and how: as Medusa's Caching Module calls its provider.

import { makeCatalogue } from '../../examples/catalogue/catalogue.mjs';
import { listing, tagsOf } from '../../examples/catalogue/listing.mjs';
import { TTL } from '../peers/connection.mjs';

let catalogue;
/** Made on first use: the other cells need none. */
export const products = () => {
  catalogue ??= makeCatalogue({ products: 1_000 }).products;
  return catalogue;
};

/** Keys are never used twice in a run: a read that missed may decide what becomes of the next set of its key. */
let keys = 0;
export const newKey = (kind) => `${kind}:${keys++}`;

/** The same for all contestants. */
const made = new Map();

/** Pages with the tags that Medusa computes for them. */
export function pages(count, request) {
  const name = JSON.stringify([count, request]);
  if (!made.has(name)) {
    const at = (index) => {
      const data = listing(products(), { ...request, offset: index * request.limit });
      return { data, tags: tagsOf(data) };
    };
    made.set(
      name,
      Array.from({ length: count }, (_, index) => at(index)),
    );
  }
  return made.get(name);
}

/** Query names the option whether it has a value or not. */
export const store = ({ provider }, key, { data, tags }, ttl = TTL) =>
  provider.set({ key, data, tags, ttl, options: { autoInvalidate: undefined } });

/** `work(index)` of so many, some at a time. */
export async function each(count, atOnce, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
