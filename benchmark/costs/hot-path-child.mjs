// Gets of 1 KB, so many asked for in one turn and then awaited, and what the threads of this process did for them.
//   node hot-path-child.mjs NAME REDIS_PORT MEMCACHED_PORT BATCHES

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fill } from '../measure.mjs';
import { product } from '../payloads.mjs';
import { PEERS } from '../peers/index.mjs';
import { AT_ONCE, mark } from './hot-path-marks.mjs';

const BYTES = 1_024;
/** Until code is compiled and buffers are as large as they get. */
const WARM_UP = 100;
/** Until what starting took is over. */
const SETTLE_MS = 300;

const [name, redisPort, memcachedPort, batches] = process.argv.slice(2);
const count = Number(batches);
const before = new Set(threads());
const client = await PEERS.find((one) => one.name === name).open({
  redisPort: Number(redisPort),
  memcachedPort: Number(memcachedPort),
});
const data = {
  keys: Array.from(
    { length: Math.max(...AT_ONCE) },
    (_, index) => `hot:${name.replaceAll(' ', '-')}:${index}`,
  ),
  values: Array.from({ length: Math.max(...AT_ONCE) }, (_, index) => product(BYTES, index)),
  tags: null,
};
await fill({ client, name }, data);
const seen = [];
for (const atOnce of AT_ONCE) {
  const keys = data.keys.slice(0, atOnce);
  for (let batch = 0; batch < WARM_UP; batch++) await one(keys);
  globalThis.gc();
  await pause(SETTLE_MS);
  const from = sleeps();
  existsSync(mark('begin', atOnce));
  for (let batch = 0; batch < count; batch++) await one(keys);
  existsSync(mark('end', atOnce));
  const to = sleeps();
  const wakeUps = { main: 0, own: 0, others: 0 };
  for (const [thread, times] of to) wakeUps[kindOf(thread)] += (times - (from.get(thread) ?? 0)) / count;
  seen.push({ atOnce, wakeUps });
}
console.log(
  JSON.stringify({ seen, kinds: Object.fromEntries(threads().map((thread) => [thread, kindOf(thread)])) }),
);
process.exit(0);

async function one(keys) {
  const values = await Promise.all(keys.map((key) => client.get(key)));
  if (values.some((value) => value === null || value === undefined)) throw new Error(`${name}: a miss.`);
}

function threads() {
  return readdirSync('/proc/self/task').map(Number);
}

/** `own`: threads that came with the client and bear another name than Node's. */
function kindOf(thread) {
  if (thread === process.pid) return 'main';
  const called = readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim();
  return before.has(thread) || /^(node|libuv|V8)/i.test(called) ? 'others' : 'own';
}

/** How often each thread has gone to sleep until it was woken. */
function sleeps() {
  return new Map(
    threads().map((thread) => [
      thread,
      Number(
        /^voluntary_ctxt_switches:\s+(\d+)/m.exec(
          readFileSync(`/proc/self/task/${thread}/status`, 'latin1'),
        )[1],
      ),
    ]),
  );
}
