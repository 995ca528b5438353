// One process, or one thread, of a race: see harness.ts. Plain JavaScript over the built package, as an application has it.

import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { MemcachedCachingProvider, MemoryCachingProvider, RedisCachingProvider } from 'cachalot/medusa';
import { openTruth } from './truth.mjs';

const config = JSON.parse(isMainThread ? process.argv[2] : workerData);
const logger = { warn: (line) => console.error(line), error: (line) => console.error(line) };
const Provider = {
  redis: RedisCachingProvider,
  memcached: MemcachedCachingProvider,
  memory: MemoryCachingProvider,
}[config.kind];
const open = () => new Provider({ logger }, config.options);
const send = (message) => (isMainThread ? process.send(message) : parentPort.postMessage(message));
const listen = (heard) => (isMainThread ? process : parentPort).on('message', heard);

/** Readers work on that many keys at a time, the writer on fewer: enough for them to meet. */
const READER_LANES = 8;
const WRITER_LANES = 3;

const { committed, cleared, commit, finish } = openTruth(config.truth);

const counts = { gets: 0, hits: 0, misses: 0, sets: 0, clears: 0, stale: 0, samples: [] };
const tags = (key) => [`Product:${key}`, 'Product:list:*', `Category:${key % 5}`];

function judge(key, floor, value, when) {
  if (value.version >= floor && value.key === key) return;
  counts.stale++;
  counts.samples.push(`key ${key} ${when}: version ${value.version} of ${value.key}, ${floor} was cleared`);
}

async function reader() {
  const cache = open();
  const setter = config.unguarded ? open() : cache;
  listen(async (message) => {
    if (message === 'end') process.exit(0);
    Object.assign(counts, { stale: 0, samples: [] });
    for (let key = 0; key < config.keys; key++) {
      const value = await cache.get({ key: `k${key}` });
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
      const value = await cache.get({ key: `k${key}` });
      if (value) {
        counts.hits++;
        judge(key, floor, value, 'in the race');
        // A hit is quick; without a pause a lane would spend the race on hits.
        if (roll(4) === 0) await sleep(1);
        continue;
      }
      counts.misses++;
      const version = committed(key);
      await sleep(roll(6));
      counts.sets++;
      await setter.set({
        key: `k${key}`,
        data: { key, version, filler: 'x'.repeat(roll(200)) },
        ttl: 600,
        tags: tags(key),
      });
    }
  };
  await Promise.all(Array.from({ length: READER_LANES }, (_, n) => lane(n)));
  send(counts);
}

async function writer() {
  const cache = open();
  let stopped = false;
  listen((message) => {
    if (message === 'end') process.exit(0);
    stopped = true;
  });
  const ways = [
    (key) => cache.clear({ tags: [`Product:${key}`] }),
    (key) => cache.clear({ tags: ['Unrelated', `Product:${key}`], options: { autoInvalidate: true } }),
    (key) => cache.clear({ key: `k${key}` }),
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
      await (turn % 101 === 0 ? cache.clear({ tags: ['*'] }) : ways[turn % 3](mine));
      finish(mine, version);
      counts.clears++;
      await sleep(turn % 5);
    }
  };
  await Promise.all(Array.from({ length: WRITER_LANES }, (_, n) => lane(n)));
  send(counts);
}

await (config.role === 'writer' ? writer() : reader());
