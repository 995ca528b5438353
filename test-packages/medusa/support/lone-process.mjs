// Boots, does its work, prints "finished" and does nothing to end: whether it does is the question.

import { boot } from './app.mjs';

const [mode, redisPort, memcachedPort] = process.argv.slice(2);
const providers = [
  {
    id: 'redis',
    resolve: 'cachalot/medusa/redis',
    is_default: true,
    options: { redisUrl: `redis://127.0.0.1:${redisPort}` },
  },
  {
    id: 'memcached',
    resolve: 'cachalot/medusa/memcached',
    options: { serverUrls: [`127.0.0.1:${memcachedPort}`] },
  },
  { id: 'memory', resolve: 'cachalot/medusa/memory', options: {} },
];
const { caching } = await boot(providers, { loaderOnly: mode === 'loaders' });
if (mode === 'idle') {
  const used = ['redis', 'memcached', 'memory'];
  await caching.set({ key: 'k', data: { n: 1 }, tags: ['Tag:1'], providers: used });
  for (const id of used) {
    const value = await caching.get({ key: 'k', providers: [id] });
    if (value?.n !== 1) throw new Error(`${id} answered ${JSON.stringify(value)}`);
  }
}
console.log('finished');
