// Events that end what is cached, each timed alone: of one product, of an import, and of a product long after what was
// cached has expired (medusajs/medusa#16474). And what so many listings take in Redis.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { tagsOf, tagsOfEvent } from '../../examples/catalogue/listing.mjs';
import { seeded } from '../../examples/catalogue/random.mjs';
import { clocks } from '../measure.mjs';
import { each, newKey, pages, products, store } from './pages.mjs';

/** Cached pages that an event must end. */
const PAGES = 100;
const WRITERS = 8;
/** The collector sweeps on other threads after it has answered, and a client may reclaim behind a clear. */
const SETTLE_MS = 100;
/** Seconds; the least that a ttl can be. */
const SHORT_TTL = 1;
/** Writers of many small pages. */
const MANY_WRITERS = 128;

/** Not the catalogue's own: products that it has would be named as others. */
const OTHER_SEED = 2;

const thousands = (number) => number.toLocaleString('en-US');

export const shopEvent = {
  what: 'shop: event',
  name: ({ entries }) =>
    entries === 1
      ? `shop: event of one product, ${PAGES} listings cached`
      : `shop: import of ${thousands(entries)} ids, each named twice, ${PAGES} listings cached`,
  async prepare({ client }, { entries }) {
    await client.empty();
    const random = seeded(OTHER_SEED);
    const ids = products().map(({ id }) => id);
    while (ids.length < entries) ids.push(random.id('prod'));
    return { ids, cached: pages(PAGES, { limit: 30 }) };
  },
  async once(contestant, { ids, cached, entries }, serverPid) {
    const { client, name } = contestant;
    const keys = cached.map(() => newKey('page'));
    await each(PAGES, WRITERS, (at) => store(client, keys[at], cached[at]));
    assert.deepEqual(await client.get(keys[0]), cached[0].data, `${name} does not hold ${keys[0]}`);
    const named = ids.slice(0, entries);
    const tags = tagsOfEvent(entries === 1 ? named : [...named, ...named]);
    const figures = await event(client, tags, serverPid);
    for (const key of keys) assert.equal(await client.get(key), null, `${name} still holds ${key}`);
    return figures;
  },
};

export const shopExpired = {
  what: 'shop: event after all listings have expired',
  name: ({ entries }) => `shop: event after ${thousands(entries)} listings have expired`,
  async prepare({ client }) {
    await client.empty();
    // Two tags each, the least that Medusa computes, so that the writing ends in time.
    return {
      small: products().map(({ id, title }) => ({
        data: { products: [{ id, title }] },
        tags: tagsOfEvent([id]),
      })),
    };
  },
  async once({ client, name }, { small, entries }, serverPid) {
    await each(entries, MANY_WRITERS, (at) =>
      store(client, newKey('old'), small[at % small.length], SHORT_TTL),
    );
    await pause(SHORT_TTL * 1_000 + SETTLE_MS);
    const live = newKey('live');
    await store(client, live, small[0]);
    assert.ok(await client.get(live), `${name} does not hold ${live}`);
    const figures = await event(client, tagsOfEvent([products()[0].id]), serverPid);
    assert.equal(await client.get(live), null, `${name} still holds ${live}`);
    return figures;
  },
};

export const shopMemory = {
  what: 'shop: listings in Redis',
  name: ({ entries, tags, entities }) =>
    `shop: ${entries} listings of ${tags} tags over ${thousands(entities)} entities`,
  async prepare(_, { tags, entities }) {
    const random = seeded(1);
    const all = tagsOf(products()).slice(0, entities);
    // Small, so that it is the tags that take room.
    const stored = pages(PAGES, { limit: 1 });
    return { stored: stored.map(({ data }) => ({ data, tags: random.some(all, tags) })) };
  },
  async once({ client }, { stored, entries }, serverPid) {
    await client.empty();
    const keys = stored.map(() => newKey('page'));
    const used = clocks(serverPid);
    await each(entries, WRITERS, (at) => store(client, keys[at % PAGES], stored[at % PAGES]));
    const figures = used(entries);
    await pause(SETTLE_MS);
    return { ...figures, ...timeOf(figures), ...(await client.stored()) };
  },
};

const timeOf = ({ seconds, operations }) => {
  const milliseconds = (seconds * 1_000) / operations;
  return { p50: milliseconds, p99: milliseconds };
};

/** One clear as an event causes it. `heap`: MiB at most above what was there, `pause`: ms that the server left a ping waiting. */
async function event({ provider, pings }, tags, serverPid) {
  const pinged = await pings();
  globalThis.gc?.();
  await pause(SETTLE_MS);
  const heap = risingHeap();
  const used = clocks(serverPid);
  const began = performance.timeOrigin + performance.now();
  await provider.clear({ tags, options: { autoInvalidate: true } });
  const figures = used(1);
  const risen = heap();
  const answered = (await pinged()).filter(({ sent, took }) => sent + took >= began);
  await pause(SETTLE_MS);
  return {
    ...figures,
    ...timeOf(figures),
    heap: risen,
    pause: Math.max(...answered.map(({ took }) => took)),
  };
}

/** Looked at each millisecond, as often as the thread is free, and at the end. */
function risingHeap() {
  const size = () => {
    const { used_heap_size, external_memory } = getHeapStatistics();
    return used_heap_size + external_memory;
  };
  const before = size();
  let most = before;
  const look = () => {
    most = Math.max(most, size());
  };
  const timer = setInterval(look, 1);
  return () => {
    clearInterval(timer);
    look();
    return (most - before) / 2 ** 20;
  };
}
