// Opens a provider, uses it, and leaves it open: the process must end by itself.

import { open } from './provider.mjs';

const config = JSON.parse(process.argv[2]);
const cache = open(config);
if (config.only !== 'open') {
  const opened = performance.now();
  await cache.get({ key: 'k' });
  await cache.set({ key: 'k', data: 'value', tags: ['t'] });
  const got = await cache.get({ key: 'k' });
  console.error(`three calls ${Math.round(performance.now() - opened)}, started ${Math.round(opened)}`);
  console.log(JSON.stringify({ got }));
  const since = performance.now();
  process.on('exit', () => console.error(`idle ${Math.round(performance.now() - since)}`));
}
