// `medusa exec ./support/seed.js`: the seeded catalogue of examples/, as products that Medusa's own workflow creates.

const { createProductsWorkflow } = require('@medusajs/medusa/core-flows');

/** More than the largest listing shows. */
const PRODUCTS = 320;
/** Products of one run of the workflow. */
const BATCH = 80;

exports.default = async function seed({ container }) {
  const { makeCatalogue } = await import('../../../examples/catalogue/catalogue.mjs');
  const products = makeCatalogue({ products: PRODUCTS }).products.map(inputOf);
  for (let from = 0; from < products.length; from += BATCH) {
    const input = { products: products.slice(from, from + BATCH) };
    await createProductsWorkflow(container).run({ input });
  }
};

/** A product of the catalogue as the workflow takes it: without ids. */
function inputOf(product) {
  const titleOf = new Map(product.options.map(({ id, title }) => [id, title]));
  const { title, handle, subtitle, description, status, thumbnail, weight, material, origin_country } =
    product;
  return {
    ...{ title, handle, subtitle, description, status, thumbnail, weight, material, origin_country },
    images: product.images.map(({ url }) => ({ url })),
    options: product.options.map((option) => ({
      title: option.title,
      values: option.values.map(({ value }) => value),
    })),
    variants: product.variants.map((variant) => ({
      title: variant.title,
      sku: variant.sku,
      barcode: variant.barcode,
      manage_inventory: false,
      options: Object.fromEntries(
        variant.options.map(({ option_id, value }) => [titleOf.get(option_id), value]),
      ),
      prices: variant.prices.map(({ currency_code, amount }) => ({ currency_code, amount })),
    })),
  };
}
