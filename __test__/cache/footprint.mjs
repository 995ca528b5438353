// What one more cache takes of the process: prints bytes of the heap and beside it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createCache, memory } from 'cachalot';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const CACHES = 50;
const taken = () => {
  gc();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
};
const make = () => createCache({ store: memory({ name: 'footprint' }) });
const caches = [make()];
const before = taken();
while (caches.length <= CACHES) caches.push(make());
console.log(Math.round((taken() - before) / CACHES));
