// Pages of the shop, one request after the other: those that nobody has asked for yet, and those that are cached.

import assert from 'node:assert/strict';
import { get } from '../workloads/get.mjs';
import { newKey, pages, store } from './pages.mjs';

/** More than fit into a CPU's caches at the usual sizes. */
const PAGES = 24;

/** Pages of one size with all their own tags; or, where the cell names a number of tags, pages of 70 KB with so many. */
function pagesOf({ limit, tags }) {
  if (tags === undefined) return pages(PAGES, { limit });
  // Pages with prices have more tags than any cell asks for; the value stays the same, so that cells differ in tags alone.
  const named = pages(PAGES, { limit: 60, fields: 'prices' });
  return pages(PAGES, { limit: 30, fields: 'variants' }).map(({ data }, at) => ({
    data,
    tags: named[at].tags.slice(0, tags),
  }));
}

async function prepare({ client }, shape) {
  await client.empty();
  const made = pagesOf(shape);
  return { made, keys: made.map(() => newKey('page')), values: made.map(({ data }) => data) };
}

async function prepareStored(contestant, shape) {
  const data = await prepare(contestant, shape);
  for (const [at, page] of data.made.entries()) await store(contestant.client, data.keys[at], page);
  return data;
}

const sized = (what) => ({
  what: `shop: ${what}`,
  name: ({ limit, tags }) =>
    `shop: ${what}, ${tags === undefined ? `${limit} products` : `70 KB, ${tags.toLocaleString('en-US')} tags`}`,
});

export const shopNew = {
  ...sized('new listing'),
  prepare,
  async run(client, data, index) {
    const key = newKey('new');
    const found = await client.get(key);
    await store(client, key, data.made[index]);
    data.last = { key, index };
    return found;
  },
  check(found, _, __, name) {
    if (found !== null) throw new Error(`${name} invents a page.`);
  },
  async verify(client, { last, values }, _, name) {
    assert.deepEqual(await client.get(last.key), values[last.index], `${name} does not hold ${last.key}`);
  },
};

export const shopCached = { ...get, ...sized('cached listing'), prepare: prepareStored };

export const shopSet = {
  ...sized('set of a listing'),
  prepare,
  run: (client, data, index) => store(client, data.keys[index], data.made[index]),
  async verify(client, { keys, values }, _, name) {
    // The first is written in every slice.
    assert.deepEqual(await client.get(keys[0]), values[0], `${name} does not hold ${keys[0]}`);
  },
};
