// A day of the shop: listings and product pages, some asked for often, products that change, and an import. The same
// requests for all contestants; each round is a part of the day, and what is stored stays for the next.

import assert from 'node:assert/strict';
import { tagsOfEvent } from '../../examples/catalogue/listing.mjs';
import { seeded } from '../../examples/catalogue/random.mjs';
import { slice } from '../measure.mjs';
import { newKey, pages, products, store } from './pages.mjs';

/** Products on a page, and of how many listings in a hundred. */
const SIZES = { 12: 40, 30: 35, 60: 15, 90: 7, 300: 3 };
const LISTINGS = 0.6;
/** One request in this many is an event instead. */
const EVENT_EVERY = 250;
/** In the second part of the day. */
const IMPORTED = 5_000;
const CONCURRENCY = 8;

export const shopTraffic = {
  what: 'shop: traffic',
  name: ({ requests }) => `shop: traffic, parts of ${requests} requests`,
  async prepare({ client }, { requests }) {
    await client.empty();
    const ids = products().map(({ id }) => id);
    const views = {};
    for (const limit of [1, ...Object.keys(SIZES).map(Number)]) {
      const fields = limit === 1 ? 'variants' : 'grid';
      const all = pages(Math.ceil(ids.length / limit), { limit, fields });
      views[limit] = all.map((page) => ({ ...page, key: newKey('view') }));
    }
    return { views, ids, requests, day: { part: 0 } };
  },
  async once(contestant, { views, ids, requests, day }, serverPid) {
    const part = day.part++;
    const asked = requestsOf(part, requests, { views, ids });
    const data = { asked, keys: asked, reads: 0, hits: 0 };
    const figures = await slice(
      contestant,
      visit,
      data,
      CONCURRENCY,
      Number.POSITIVE_INFINITY,
      serverPid,
      requests,
    );
    const stored = await contestant.client.stored();
    // The first part is what everyone warms up with.
    if (part === 0) await contestant.client.empty();
    const hitRatio = data.hits / data.reads;
    return { ...figures, hitRatio, stored: { ...stored, hitRatio } };
  },
};

function requestsOf(part, requests, { views, ids }) {
  // The catalogue's own seed is 1.
  const random = seeded(2 + part);
  const event = (named) => ({ event: tagsOfEvent(named) });
  const sizes = Object.entries(SIZES).flatMap(([limit, share]) => Array(share).fill(limit));
  // The more often asked for, the nearer to the first.
  const often = (list) => list[Math.floor(list.length * random.next() ** 4)];
  const asked = Array.from({ length: requests }, (_, at) =>
    at % EVENT_EVERY === EVENT_EVERY >> 1
      ? event([random.pick(ids)])
      : often(views[random.next() < LISTINGS ? random.pick(sizes) : 1]),
  );
  const imported = Array.from({ length: IMPORTED }, (_, at) => ids[at] ?? random.id('prod'));
  if (part === 2) asked[requests >> 1] = event([...imported, ...imported]);
  return asked;
}

const visit = {
  async run(client, data, index) {
    const page = data.asked[index];
    if (page.event) return client.provider.clear({ tags: page.event, options: { autoInvalidate: true } });
    data.reads++;
    const found = await client.get(page.key);
    if (found === null) return store(client, page.key, page);
    data.hits++;
    return found;
  },
  verify(_, { asked }, sampled, name) {
    for (const [index, found] of sampled) {
      const { data } = asked[index];
      // What stores a page, and what clears, answers with nothing.
      if (data !== undefined && found !== undefined)
        assert.deepEqual(found, data, `${name}: another page came back`);
    }
  },
};
