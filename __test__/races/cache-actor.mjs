// One process, or one thread, of a race over `Cache`: readers call `getOrSet` whose factory reads the truth and takes its
// time; the writer commits and clears in every way there is.

import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { createCache, memcached, memory, redis } from 'cachalot';
import { openTruth } from './truth.mjs';

const config = JSON.parse(isMainThread ? process.argv[2] : workerData);
const send = (message) => (isMainThread ? process.send(message) : parentPort.postMessage(message));
const listen = (heard) => (isMainThread ? process : parentPort).on('message', heard);
const { committed, cleared, commit, finish } = openTruth(config.truth);

const { redisUrl, serverUrls, cachePrefix, l1 = false, ...rest } = config.options;
const store = {
  redis: () => redis({ url: redisUrl, ...rest }),
  memcached: () => memcached({ servers: serverUrls, prefix: cachePrefix, ...rest }),
  memory: () => memory(rest),
}[config.kind]();
const cache = createCache({ store, errors: 'throw', l1 });
const nameOf = (key) => `space${key % 3}:k${key}`;

/** Calls at a time: many more than keys, so that callers meet in one factory and after it. */
const READER_LANES = 24;
const WRITER_LANES = 3;

const counts = { gets: 0, hits: 0, misses: 0, sets: 0, clears: 0, stale: 0, samples: [] };

function judge(key, floor, value, when) {
  if (value.version >= floor && value.key === key) return;
  counts.stale++;
  counts.samples.push(`key ${key} ${when}: version ${value.version} of ${value.key}, ${floor} was cleared`);
}

async function reader() {
  listen(async (message) => {
    if (message === 'end') process.exit(0);
    Object.assign(counts, { stale: 0, samples: [] });
    for (let key = 0; key < config.keys; key++) {
      const value = await cache.get(nameOf(key));
      if (value) judge(key, committed(key), value, 'after the race');
    }
    send(counts);
  });
  const lane = async (n) => {
    let state = config.seed * 1_000 + n + 1;
    const roll = (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    while (counts.gets < config.gets) {
      const key = roll(config.keys);
      const floor = cleared(key);
      counts.gets++;
      let made = false;
      const value = await cache.getOrSet({
        key: nameOf(key),
        tags: [`Product:${key}`, `Category:${key % 5}`],
        factory: async () => {
          made = true;
          const version = committed(key);
          await sleep(roll(6));
          return { key, version };
        },
      });
      judge(key, floor, value, 'in the race');
      if (made) counts.sets++;
      else counts.hits++;
      // A hit is quick; without a pause a lane would spend the race on hits.
      if (roll(4) === 0) await sleep(1);
    }
  };
  await Promise.all(Array.from({ length: READER_LANES }, (_, n) => lane(n)));
  counts.misses = counts.sets;
  send(counts);
}

async function writer() {
  let stopped = false;
  listen((message) => {
    if (message === 'end') process.exit(0);
    stopped = true;
  });
  const ways = [
    (key) => cache.deleteByTag([`Product:${key}`]),
    (key) => cache.delete(nameOf(key)),
    (key) => cache.expire(nameOf(key)),
    (key) => cache.expireByTag(['Unrelated', `Product:${key}`]),
    (key) => cache.namespace(`space${key % 3}`).clear(),
  ];
  // A lane owns its keys, so that the versions of a key only grow.
  const lane = async (n) => {
    for (let turn = n; !stopped; turn += WRITER_LANES) {
      const key = (turn * 7 + n) % config.keys;
      const mine = key - (key % WRITER_LANES) + n;
      if (mine >= config.keys) continue;
      const version = committed(mine) + 1;
      commit(mine, version);
      // Now and then everything goes: a clear that crosses all others.
      await (turn % 101 === 0 ? cache.clear() : ways[turn % ways.length](mine));
      finish(mine, version);
      counts.clears++;
      await sleep(turn % 5);
    }
  };
  await Promise.all(Array.from({ length: WRITER_LANES }, (_, n) => lane(n)));
  send(counts);
}

await (config.role === 'writer' ? writer() : reader());
