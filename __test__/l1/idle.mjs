// Serves a value from L1 and leaves the cache open: the process must end by itself.

import { createCache, memcached, memory, redis } from 'cachalot';

const { kind, options } = JSON.parse(process.argv[2]);
const cache = createCache({ store: { memcached, memory, redis }[kind](options), l1: true });
await cache.set({ key: 'k', value: 1 });
for (let i = 0; i < 3; i++) {
  await cache.get('k');
}
console.log(cache.stats().l1Hits);
const since = performance.now();
process.on('exit', () => console.error(`idle ${Math.round(performance.now() - since)}`));
