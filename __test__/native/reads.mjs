// A process whose gets follow each other, so that its own thread reads the replies. What it then does is told by the
// first argument.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runtimeRuns } from './runtime-runs.mjs';

// Where only threads load the addon, the last of them also lets go of the library.
const isAlone = isMainThread && process.argv[2] === 'library';
const { addon, gets, redisOn } = isAlone ? {} : await import('./addon.mjs');

const THREADS = 200;

/** One get at a time, and whatever is done when it is answered. */
function reader(port) {
  let answered;
  addon.listen((flat) => {
    for (let at = 0; at < flat.length; at += 2 + flat[at + 1]) {
      if (flat[at] !== 0) answered(flat[at + 2]);
    }
  }, process.versions.uv);
  const handle = addon.open(redisOn(port, 1_000));
  let first = 0;
  return () => {
    first += 1024;
    addon.submit(handle, first, Date.now(), 'k', gets(1), 2, []);
    return new Promise((resolve) => {
      answered = resolve;
    });
  };
}

async function read(get, times) {
  for (let n = 0; n < times; n++) {
    const answer = await get();
    if (answer !== null) throw new Error(`not a miss: ${JSON.stringify(answer)}`);
  }
}

const scenes = {
  /** Has nothing else to do: ends by itself, though the connection is up and a poll waits for it. */
  async ends(port) {
    await read(reader(port), 50);
    console.log('read 50');
  },

  /** Says whether the runtime's thread slept through the replies. */
  async woken(port) {
    const get = reader(port);
    await read(get, 20);
    const before = runtimeRuns();
    await read(get, 500);
    console.log(runtimeRuns() - before < 100 ? 'slept' : 'woken');
  },

  /** What the answers lead to is the process's to hear of, as ever. */
  async throws(port) {
    const get = reader(port);
    await read(get, 20);
    process.once('uncaughtException', async (error) => {
      await read(get, 20);
      console.log(`caught ${error.message}, read 20`);
    });
    await get();
    process.nextTick(() => {
      throw new Error('mine');
    });
  },

  /** Leaves with a request in flight. */
  async exits(port) {
    const get = reader(port);
    await read(get, 20);
    get();
    console.log('read 20');
    process.exit();
  },

  /** Threads that are terminated while they read, and the main thread, which reads all the while. */
  async threads(port) {
    let running = true;
    const get = reader(port);
    const reading = (async () => {
      while (running) await read(get, 1);
    })();
    await threads(port);
    running = false;
    await reading;
    console.log(`ended ${THREADS}`);
  },

  async library(port) {
    await threads(port);
    console.log(`ended ${THREADS}`);
  },
};

async function threads(port) {
  for (let n = 0; n < THREADS; n += 2) await Promise.all([thread(port, n), thread(port, n + 1)]);
}

/** A thread that is terminated while it reads, or ends itself with a request in flight. */
async function thread(port, n) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, exits: n % 4 === 3 } });
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  await new Promise((resolve) => setTimeout(resolve, n % 7));
  if (n % 4 !== 3) await worker.terminate();
  await gone;
}

if (isMainThread) {
  const [scene, port] = process.argv.slice(2);
  await scenes[scene](Number(port));
} else {
  const { port, exits } = workerData;
  const get = reader(port);
  await read(get, 20);
  parentPort.postMessage('reading');
  if (exits) {
    get();
    process.exit();
  }
  await read(get, Number.POSITIVE_INFINITY);
}
