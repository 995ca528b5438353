// A process whose CacheService is asked for one key many times at once. Plain JavaScript over the built package.

import { setTimeout as sleep } from 'node:timers/promises';
import { memcached, redis } from 'cachalot';
import { CachalotStore, CacheService } from 'cachalot/glasswork';

const { kind, options, prefix } = JSON.parse(process.argv[2]);
const store = new CachalotStore({ store: { memcached, redis }[kind](options), prefix });
const cache = new CacheService(store, { defaultTTL: 300, keyPrefix: 'app' });
let runs = 0;

const make = async () => {
  runs++;
  await sleep(100);
  return { by: process.pid };
};

process.on('message', async ({ method, key, calls }) => {
  if (method === 'end') {
    await store.close();
    process.disconnect();
    return;
  }
  const call = method === 'wrap' ? () => cache.wrap(key, 60, make) : () => cache.wrapSWR(key, 1, 60, make);
  const values = await Promise.all(Array.from({ length: calls }, call));
  process.send({ runs, values: [...new Set(values.map(({ by }) => by))] });
});
process.send({ ready: true });
