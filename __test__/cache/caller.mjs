// A process that calls `getOrSet` as it is told. Plain JavaScript over the built package, as an application has it.

import { setTimeout as sleep } from 'node:timers/promises';
import { createCache, memcached, memory, redis } from 'cachalot';

const { kind, options, cache: given } = JSON.parse(process.argv[2]);
const cache = createCache({ store: { memcached, memory, redis }[kind](options), ...given });
let runs = 0;

const factories = {
  /** Takes its time, and counts. */
  count: (ms) => async () => {
    runs++;
    await sleep(ms);
    return { by: process.pid };
  },
  /** Never ends; says that it began. */
  hang: () => () => {
    process.send({ hanging: true });
    return new Promise(() => {});
  },
};

const commands = {
  async call({ key, calls, factory, ms, ...timing }) {
    const began = performance.now();
    const settled = await Promise.allSettled(
      Array.from({ length: calls }, () =>
        cache.getOrSet({ key, ...timing, factory: factories[factory](ms) }),
      ),
    );
    const values = new Set(
      settled.map(({ value, reason }) => JSON.stringify(value ?? { code: reason.code })),
    );
    return { runs, values: [...values], ms: performance.now() - began };
  },
  async get({ key }) {
    const began = performance.now();
    const value = await cache.get(key);
    return { value, ms: performance.now() - began, stats: cache.stats().store };
  },
  async set({ key, value }) {
    return { stored: await cache.set({ key, value }) };
  },
};

process.on('message', async ({ command, ...asked }) => {
  if (command === 'end') {
    await cache.close();
    process.disconnect();
    return;
  }
  process.send(await commands[command](asked));
});
process.send({ ready: true });
