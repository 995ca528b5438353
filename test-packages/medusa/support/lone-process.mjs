// Boots, does its work, prints "finished" and does nothing to end: whether it does is the question.
//
//   node lone-process.mjs boot|loaders|use '[providers as in medusa-config.ts]'

import { boot } from './app.mjs';

const [mode, providers] = [process.argv[2], JSON.parse(process.argv[3])];
const { caching } = await boot(providers, { loaderOnly: mode === 'loaders' });
if (mode === 'use') {
  const ids = providers.map(({ id }) => id);
  await caching.set({ key: 'k', data: { n: 1 }, tags: ['Tag:1'], providers: ids });
  for (const id of ids) {
    const value = await caching.get({ key: 'k', providers: [id] });
    if (value?.n !== 1) throw new Error(`${id} answered ${JSON.stringify(value)}`);
  }
}
console.log('finished');
