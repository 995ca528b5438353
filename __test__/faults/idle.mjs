// Opens a provider, uses it, and leaves it open: the process must end by itself.

import { open } from './provider.mjs';

const config = JSON.parse(process.argv[2]);
const cache = open(config);
if (config.only !== 'open') {
  await cache.get({ key: 'k' });
  await cache.set({ key: 'k', data: 'value', tags: ['t'] });
  const got = await cache.get({ key: 'k' });
  console.log(JSON.stringify({ got }));
  const since = performance.now();
  process.on('exit', () => console.error(`idle ${Math.round(performance.now() - since)}`));
}
