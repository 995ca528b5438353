// Reads one key without pause, and tells the first value that it got after it had been stopped for seconds.

import { createCache, redis } from 'cachalot';

const { options } = JSON.parse(process.argv[2]);
const cache = createCache({ store: redis(options), l1: true, errors: 'throw' });
let last = Date.now();
let told = false;
while (!told) {
  const { l1Hits } = cache.stats();
  const asked = Date.now();
  const value = await cache.get('k').catch((error) => String(error));
  if (asked - last > 2_000) {
    told = true;
    process.send({ value: value ?? null, l1: cache.stats().l1Hits > l1Hits });
  } else if (l1Hits === 100) {
    process.send({ warm: true, value });
  }
  last = asked;
  await new Promise((resolve) => setImmediate(resolve));
}
await cache.close();
process.disconnect();
