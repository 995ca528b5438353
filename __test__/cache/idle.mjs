// Uses a cache with everything that has timers, and leaves it open: the process must end by itself.

import { createCache, memcached, memory, redis } from 'cachalot';

const { kind, options } = JSON.parse(process.argv[2]);
const cache = createCache({
  store: { memcached, memory, redis }[kind](options),
  ttl: 1,
  grace: '1h',
  hardTimeout: '10m',
  lockTimeout: '10m',
});
// A factory that hangs, with callers who wait for it and said nothing of how long.
const waiting = createCache({
  store: { memcached, memory, redis }[kind](options),
  prefix: `${options.prefix ?? 'idle'}-waiting`,
});
for (let callers = 0; callers < 2; callers++) {
  waiting.getOrSet({ key: 'hung', factory: () => new Promise(() => {}) }).catch(() => {});
}
const first = await cache.getOrSet({ key: 'k', factory: () => 'old' });
await new Promise((resolve) => setTimeout(resolve, 30));
// Served stale; its refresh hangs behind, and nobody waits for it.
const second = await cache.getOrSet({ key: 'k', factory: () => new Promise(() => {}) });
console.log(JSON.stringify([first, second]));
const since = performance.now();
process.on('exit', () => console.error(`idle ${Math.round(performance.now() - since)}`));
