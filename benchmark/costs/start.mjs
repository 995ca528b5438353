// The time that `require` takes.

import { fileURLToPath } from 'node:url';
import { median } from '../statistics.mjs';
import { inChild } from './in-child.mjs';

const built = (name) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

/** What an application loads to use each. The first is a module that is loaded anyway: the least that shows. */
const LOADED = [
  ['nothing', ['node:path']],
  ['cachalot', [built('index.cjs')]],
  ['cachalot/medusa/redis', [built('adapters/medusa/redis.cjs')]],
  ['ioredis', ['ioredis']],
  ['redis (node-redis)', ['redis']],
  ['@valkey/valkey-glide', ['@valkey/valkey-glide']],
  [
    '@medusajs/caching-redis',
    ['@medusajs/caching-redis/dist/services/redis-cache.js', 'ioredis', 'xxhash-wasm'],
  ],
  ['bentocache + redis driver', ['bentocache', 'bentocache/drivers/redis']],
  ['keyv + @keyv/redis', ['keyv', '@keyv/redis']],
  ['cacheable + @keyv/redis', ['cacheable', '@keyv/redis']],
  ['memjs', ['memjs']],
  ['memcache', ['memcache']],
  ['lru-cache', ['lru-cache']],
];

/** @returns `[{ name, ours, milliseconds, how } or { name, reason }]`: medians of interleaved processes */
export async function startTimes(rounds) {
  const seen = LOADED.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, [, specifiers]] of LOADED.entries()) {
      seen[at].push(await inChild('start-child.mjs', specifiers));
    }
  }
  return LOADED.map(([name], at) => {
    const failed = seen[at].find(({ reason }) => reason !== undefined);
    if (failed) return { name, ours: false, reason: failed.reason };
    return {
      name,
      ours: name.startsWith('cachalot'),
      milliseconds: median(seen[at].map(({ milliseconds }) => milliseconds)),
      how: seen[at][0].how,
    };
  });
}
