// What a shop's database and query layer cost, in the simplest honest form: a fixed wait, and a fresh copy of the rows.

import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds a query takes here. A real product query with its relations takes longer as a rule. */
export const QUERY_MS = 3;

/** Products on a listing page, and at most on a collection's. */
const PAGE = 20;
const COLLECTION_PAGE = 48;

export class Database {
  #catalogue;
  #byHandle;
  queries = 0;

  /** @param {{ products: object[], collections: object[] }} catalogue */
  constructor(catalogue) {
    this.#catalogue = catalogue;
    this.#byHandle = new Map(catalogue.products.map((product) => [product.handle, product]));
  }

  /** @param {import('./shop.mjs').View} view */
  async query(view) {
    this.queries++;
    await sleep(QUERY_MS);
    return structuredClone(this.#rows(view));
  }

  updateTitle(handle, title) {
    const product = this.#byHandle.get(handle);
    product.title = title;
    product.updated_at = new Date().toISOString();
  }

  get pages() {
    return Math.ceil(this.#catalogue.products.length / PAGE);
  }

  #rows({ kind, handle, page, collection }) {
    const { products } = this.#catalogue;
    switch (kind) {
      case 'product':
        return this.#byHandle.get(handle);
      case 'page':
        return products.slice(page * PAGE, (page + 1) * PAGE).map(card);
      case 'collection':
        return products
          .filter((product) => product.collection_id === collection)
          .slice(0, COLLECTION_PAGE)
          .map(card);
    }
  }
}

/** What a listing shows of a product. */
function card({ id, title, handle, thumbnail, variants }) {
  return { id, title, handle, thumbnail, prices: variants[0].prices };
}
