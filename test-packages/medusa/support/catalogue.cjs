// A Medusa module that knows products, kept in memory: what @medusajs/product is to the Caching Module (a joiner
// configuration with a schema and id prefixes, and a list method), without its database.

const schema = `
  type Product {
    id: ID!
    title: String!
    handle: String
    collection: ProductCollection
    tags: [ProductTag!]!
    images: [ProductImage!]!
    options: [ProductOption!]!
    variants: [ProductVariant!]!
  }
  type ProductCollection { id: ID! title: String! handle: String }
  type ProductTag { id: ID! value: String! }
  type ProductImage { id: ID! url: String! rank: Int }
  type ProductOption { id: ID! title: String! values: [ProductOptionValue!]! }
  type ProductOptionValue { id: ID! value: String! }
  type ProductVariant {
    id: ID!
    title: String!
    sku: String
    options: [ProductOptionValue!]!
    prices: [Price!]!
  }
  type Price { id: ID! currency_code: String! amount: Float! }
`;

/** The entities by the prefixes of their ids, as in Medusa's Product and Pricing Modules. */
const ENTITIES = {
  prod: 'Product',
  pcol: 'ProductCollection',
  ptag: 'ProductTag',
  img: 'ProductImage',
  opt: 'ProductOption',
  optval: 'ProductOptionValue',
  variant: 'ProductVariant',
  price: 'Price',
};

class CatalogueService {
  constructor() {
    this.products = new Map();
    this.entities = ENTITIES;
    /** How often a list was really read: a query that the cache answered does not count. */
    this.reads = 0;
  }

  __joinerConfig() {
    return {
      serviceName: 'catalogue',
      primaryKeys: ['id'],
      linkableKeys: { product_id: 'Product' },
      idPrefixToEntityName: ENTITIES,
      schema,
      alias: [{ name: ['product', 'products'], entity: 'Product', args: { methodSuffix: 'Products' } }],
    };
  }

  async listProducts(filters) {
    this.reads++;
    const ids = filters?.id === undefined ? [...this.products.keys()] : [filters.id].flat();
    return ids.filter((id) => this.products.has(id)).map((id) => ({ ...this.products.get(id) }));
  }

  /** What Query calls for a page of a list. */
  async listAndCountProducts(filters, { skip = 0, take } = {}) {
    const all = await this.listProducts(filters);
    return [all.slice(skip, take === undefined ? undefined : skip + take), all.length];
  }
}

module.exports = { service: CatalogueService };
