// One client in a process of its own: what it costs while nothing happens, then the most memory it takes under load.
//   node client-child.mjs NAME REDIS_PORT MEMCACHED_PORT MILLISECONDS    NAME `none`: a bare process

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fill, slice } from '../measure.mjs';
import { product } from '../payloads.mjs';
import { PEERS } from '../peers/index.mjs';
import { WORKLOADS } from '../workloads/index.mjs';

/** After the first answers: until connections have settled and what starting took is collected. */
const SETTLE_MS = 250;
const CONCURRENCY = 64;

const [name, redisPort, memcachedPort, milliseconds] = process.argv.slice(2);
const status = (field) =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))[1]);

const peer = PEERS.find((one) => one.name === name);
const client = await peer?.open({ redisPort: Number(redisPort), memcachedPort: Number(memcachedPort) });
await client?.set('idle', { idle: true }, null);
await client?.get('idle');
await pause(SETTLE_MS);
globalThis.gc();
const idle = {
  rss: status('VmRSS') / 1_024,
  threads: status('Threads'),
  handles: process.getActiveResourcesInfo().filter((kind) => /TCP|Pipe|Timeout|Immediate|Stream/.test(kind))
    .length,
};

const peak = {};
if (client) {
  for (const bytes of [1_024, 16_384]) {
    const data = {
      keys: Array.from({ length: 64 }, (_, index) => `child:${name.replaceAll(' ', '-')}:${bytes}:${index}`),
      values: Array.from({ length: 64 }, (_, index) => product(bytes, index)),
      tags: null,
    };
    await fill({ client, name }, data);
    for (const workload of [WORKLOADS.get, WORKLOADS.set])
      await slice({ client, name }, workload, data, CONCURRENCY, Number(milliseconds));
    peak[bytes] = status('VmHWM') / 1_024;
  }
}
// Printed before closing: not everyone's close ends.
console.log(JSON.stringify({ ...idle, peak }));
process.exit(0);
