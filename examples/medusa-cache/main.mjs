// Medusa's older Cache Module without Medusa: prices cached a price set at a time, and let go of together.
//
//   node examples/medusa-cache/main.mjs          in process memory; REDIS_URL or MEMCACHED_SERVER for a server

import { MemcachedCacheService, MemoryCacheService, RedisCacheService } from 'cachalot/medusa/cache';

const { REDIS_URL, MEMCACHED_SERVER } = process.env;
const own = { namespace: 'medusa-example', ttl: 60 };

// Medusa makes it from `modules` in medusa-config.ts, with its container and these options.
const cache = REDIS_URL
  ? new RedisCacheService({ logger: console }, { redisUrl: REDIS_URL, ...own })
  : MEMCACHED_SERVER
    ? new MemcachedCacheService({ logger: console }, { location: MEMCACHED_SERVER, ...own })
    : new MemoryCacheService({ logger: console }, own);

const prices = new Map([
  ['ps_shirt:eur', 19.95],
  ['ps_shirt:usd', 21.5],
  ['ps_mug:eur', 7.9],
]);

async function price(set, currency) {
  const key = `ps:${set}:${currency}`;
  const cached = await cache.get(key);
  if (cached !== null) return { ...cached, cached: true };
  const amount = prices.get(`${set}:${currency}`);
  await cache.set(key, { amount });
  return { amount, cached: false };
}

async function show(when) {
  for (const [set, currency] of [
    ['ps_shirt', 'eur'],
    ['ps_shirt', 'usd'],
    ['ps_mug', 'eur'],
  ]) {
    const { amount, cached } = await price(set, currency);
    console.log(
      `${when}: ${set} costs ${amount} ${currency.toUpperCase()}, ${cached ? 'cached' : 'computed'}`,
    );
  }
}

await cache.invalidate('ps:*');
await show('first');
await show('again');
prices.set('ps_shirt:eur', 17.95);
await cache.invalidate('ps:ps_shirt:*');
await show('after the change');
await cache.close();
