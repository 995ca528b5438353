// Worker threads that are terminated with requests in flight. The main thread never loads the addon itself, so that the
// last of them also lets go of the library. Each looks at the counters of its L1 all the while, whose memory is the core's.

import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const THREADS = 12;

if (isMainThread) {
  for (let n = 0; n < THREADS; n += 2) {
    await Promise.all([thread(), thread()]);
  }
  console.log(`terminated ${THREADS}`);
} else {
  const { addon, gets, redisOn } = await import('./addon.mjs');
  addon.listen(() => {});
  const handle = addon.open(JSON.stringify({ ...JSON.parse(redisOn(workerData, 200)), l1: {} }));
  const counters = new Uint32Array(addon.counters(handle));
  const send = (first) => addon.submit(handle, first, Date.now(), 'k'.repeat(100), gets(100), 200, []);
  send(1024);
  parentPort.postMessage('in flight');
  // Goes on sending while it is terminated.
  for (let batch = 2; ; batch++) {
    send(batch * 1024);
    if (counters.some((count) => count > 10_000)) throw new Error('These are no counters.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function thread() {
  const worker = new Worker(new URL(import.meta.url), { workerData: Number(process.argv[2]) });
  await once(worker, 'message');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await worker.terminate();
}
