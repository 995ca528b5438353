// Threads that read and write without pause, each terminated in the middle of it.

import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { open } from './provider.mjs';

const THREADS = 20;

if (isMainThread) {
  const config = JSON.parse(process.argv[2]);
  const cache = open(config);
  await cache.set({ key: 'main', data: 'still here' });
  let terminated = 0;
  let inFlight = 0;
  const one = async (n) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: config });
    worker.on('message', (count) => {
      inFlight = Math.max(inFlight, count);
    });
    await new Promise((resolve) => worker.once('message', resolve));
    await sleep((n * 7) % 40);
    await worker.terminate();
    terminated++;
  };
  for (let n = 0; n < THREADS; n += 2) await Promise.all([one(n), one(n + 1)]);
  const got = await cache.get({ key: 'main' });
  console.log(JSON.stringify({ terminated, inFlight, got }));
} else {
  const cache = open(workerData);
  let inFlight = 0;
  const ask = (n) => {
    inFlight++;
    const key = `w${n % 100}`;
    const work =
      n % 3
        ? cache.get({ key })
        : cache.set({ key, data: { n, filler: 'x'.repeat(3_000) }, tags: ['t', `t${n % 10}`] });
    work.then(() => inFlight--);
  };
  for (let n = 0; ; ) {
    for (let burst = 0; burst < 100; burst++) ask(n++);
    parentPort.postMessage(inFlight);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
