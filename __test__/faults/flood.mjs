// Far more work than an outage lets through, as fast as it can be asked for.

import { open } from './provider.mjs';

const config = JSON.parse(process.argv[2]);
const cache = open(config);
const baseMb = process.memoryUsage().rss / 2 ** 20;
const data = 'x'.repeat(config.bytes);
let settled = 0;
let failed = 0;
let slowestMs = 0;
let rssMb = 0;
const pending = [];
const ask = (work) => {
  const started = performance.now();
  pending.push(
    work
      .then(
        () => {},
        () => failed++,
      )
      .then(() => {
        settled++;
        slowestMs = Math.max(slowestMs, performance.now() - started);
      }),
  );
};
for (let n = 0; n < config.sets; n++) {
  ask(cache.set({ key: `k${n}`, data, tags: [`t${n}`] }));
  ask(cache.get({ key: `k${n}` }));
  if (n < config.clears) ask(cache.clear({ tags: [`t${n}`], options: { autoInvalidate: true } }));
  if (n % 100 === 99) {
    rssMb = Math.max(rssMb, process.memoryUsage().rss / 2 ** 20);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
await Promise.all(pending);
rssMb = Math.max(rssMb, process.memoryUsage().rss / 2 ** 20);
console.log(
  JSON.stringify({
    settled,
    failed,
    slowestMs: Math.round(slowestMs),
    rssMb: Math.round(rssMb),
    baseMb: Math.round(baseMb),
  }),
);
