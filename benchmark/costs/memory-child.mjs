// Resident bytes of an entry in process memory.    node memory-child.mjs NAME REDIS_PORT MEMCACHED_PORT

import { setTimeout as pause } from 'node:timers/promises';
import { product } from '../payloads.mjs';
import { PEERS } from '../peers/index.mjs';

const ENTRIES = 50_000;
const BYTES = 200;
const AT_ONCE = 500;

const [name, redisPort, memcachedPort] = process.argv.slice(2);
const client = await PEERS.find((one) => one.name === name).open({
  redisPort: Number(redisPort),
  memcachedPort: Number(memcachedPort),
});

async function write(from, to) {
  for (let index = from; index < to; index += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        client.set(`entry:${index + i}`, product(BYTES, index + i), null),
      ),
    );
  }
}

async function resident() {
  await pause(200);
  for (let i = 0; i < 3; i++) globalThis.gc();
  return process.memoryUsage.rss();
}

// The first tenth warms up code and buffers, which are no entry's.
await write(0, ENTRIES / 10);
const before = await resident();
await write(ENTRIES / 10, ENTRIES / 10 + ENTRIES);
const after = await resident();
if ((await client.get(`entry:${ENTRIES}`)) === null) throw new Error(`${name} has let go of entries.`);
console.log(JSON.stringify({ entries: ENTRIES, bytes: BYTES, overhead: (after - before) / ENTRIES - BYTES }));
process.exit(0);
