// The shop: every view is looked up in the cache first, and on a miss queried and stored with the tags of what it shows.

/**
 * @typedef {{ kind: 'product', handle: string } | { kind: 'page', page: number }
 *   | { kind: 'collection', collection: string }} View
 */

/** Requests that the shop serves at the same time. */
export const CONCURRENCY = 32;

const TTL_SECONDS = 3_600;

export class Shop {
  #cache;
  #database;

  constructor(cache, database) {
    this.#cache = cache;
    this.#database = database;
  }

  /**
   * Reads every view once.
   *
   * @param {View[]} views
   * @returns {Promise<{ hits: number, missed: string[], ms: number, micros: number[], values: Map<string, unknown> }>}
   *   `micros`: what each view took, in microseconds; `missed`: the keys that were not in the cache
   */
  async readAll(views) {
    const missed = [];
    const micros = [];
    const values = new Map();
    let next = 0;
    const visitor = async () => {
      while (next < views.length) {
        const view = views[next++];
        const started = performance.now();
        const key = keyOf(view);
        let value = await this.#cache.get({ key });
        if (value === null) {
          missed.push(key);
          value = await this.#database.query(view);
          await this.#cache.set({ key, data: value, ttl: TTL_SECONDS, tags: tagsOf(view, value) });
        }
        values.set(key, value);
        micros.push((performance.now() - started) * 1_000);
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: CONCURRENCY }, visitor));
    const ms = performance.now() - started;
    return { hits: views.length - missed.length, missed, ms, micros, values };
  }

  /** What Medusa does after an update of a product: one clear by tags. */
  async productUpdated(id) {
    await this.#cache.clear({ tags: [`Product:${id}`], options: { autoInvalidate: true } });
  }
}

/** @param {View} view */
export function keyOf(view) {
  switch (view.kind) {
    case 'product':
      return `product:${view.handle}`;
    case 'page':
      return `products:page:${view.page}`;
    case 'collection':
      return `collection:${view.collection}`;
  }
}

/** A view carries the tag of each product that it shows: clearing one product reaches exactly the views that show it. */
export function tagsOf(view, value) {
  const products = view.kind === 'product' ? [value] : value;
  return products.map((product) => `Product:${product.id}`);
}
