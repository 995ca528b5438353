// Races between processes (for memory: between threads of one process): a writer commits to a shared truth and then
// clears; readers miss, wait a little, and set what they had read. The truth is a file of 32-bit versions, two a key:
// what is committed, and the last commit whose clear has finished.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type StoreUnderTest, uniquePrefix } from '../contract/stores.js';
import { startNode } from '../support/processes.js';

export interface Race {
  /** How many keys are fought over. Few: the more often they meet. */
  keys: number;
  /** Gets of all readers together. */
  gets: number;
  /** Without what guards a set: it goes through a provider that saw no miss. A control: it must show stale reads. */
  unguarded?: boolean;
  /** What is raced over: Medusa's get and set, or `getOrSet`. @default 'provider' */
  face?: 'provider' | 'cache';
}

export interface Report {
  gets: number;
  hits: number;
  misses: number;
  sets: number;
  clears: number;
  /** Reads begun after a clear had finished that returned what was older than its commit. */
  stale: number;
  /** Keys whose last value, after all is over, is not the last committed. */
  left: number;
  /** A few of them, for the message. */
  samples: string[];
  ms: number;
}

const ACTORS = {
  provider: fileURLToPath(new URL('./actor.mjs', import.meta.url)),
  cache: fileURLToPath(new URL('./cache-actor.mjs', import.meta.url)),
};
const READERS = 2;

type Counts = Omit<Report, 'ms' | 'left'>;

interface Actor {
  send(message: unknown): void;
  next(): Promise<Counts>;
  end(): Promise<unknown>;
}

export async function race(store: StoreUnderTest, what: Race): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-race-'));
  const truth = join(folder, 'truth');
  await writeFile(truth, Buffer.alloc(what.keys * 8));
  const opened = store.options({ prefix: uniquePrefix('race') });
  const shared = { ...opened, truth, keys: what.keys, unguarded: what.unguarded ?? false };
  const file = ACTORS[what.face ?? 'provider'];
  const actors = [
    actor(store, file, { ...shared, role: 'writer' }),
    ...Array.from({ length: READERS }, (_, n) =>
      actor(store, file, { ...shared, role: 'reader', gets: Math.ceil(what.gets / READERS), seed: n }),
    ),
  ];
  const [writer, ...readers] = actors as [Actor, ...Actor[]];
  const started = performance.now();
  try {
    const reading = await Promise.all(readers.map((reader) => reader.next()));
    writer.send('stop');
    const writing = await writer.next();
    const ms = performance.now() - started;
    // Now that nobody writes or reads, what is there is there to stay.
    readers[0]?.send('judge');
    const judged = (await readers[0]?.next()) as Counts;
    const sum = (name: 'gets' | 'hits' | 'misses' | 'sets' | 'stale') =>
      reading.reduce((total, one) => total + one[name], 0);
    return {
      gets: sum('gets'),
      hits: sum('hits'),
      misses: sum('misses'),
      sets: sum('sets'),
      stale: sum('stale'),
      clears: writing.clears,
      left: judged.stale,
      samples: [...reading.flatMap((one) => one.samples), ...judged.samples].slice(0, 5),
      ms: Math.round(ms),
    };
  } finally {
    await Promise.all(actors.map((one) => one.end()));
    await rm(folder, { recursive: true });
  }
}

function actor(store: StoreUnderTest, file: string, config: object): Actor {
  if (store.kind !== 'memory') {
    const child = startNode(file, { args: [JSON.stringify(config)], timeoutMs: 120_000 });
    return {
      send: child.send,
      next: () => child.next<Counts>(),
      end: () => {
        child.send('end');
        return child.done;
      },
    };
  }
  const worker = new Worker(file, { workerData: JSON.stringify(config) });
  const inbox: Counts[] = [];
  const waiting: Array<{ resolve: (counts: Counts) => void; reject: (why: unknown) => void }> = [];
  worker.on('message', (counts: Counts) => {
    const waiter = waiting.shift();
    if (waiter) waiter.resolve(counts);
    else inbox.push(counts);
  });
  worker.on('error', (why) => {
    for (const waiter of waiting.splice(0)) waiter.reject(why);
  });
  return {
    send: (message) => worker.postMessage(message),
    next: () => {
      const counts = inbox.shift();
      return counts
        ? Promise.resolve(counts)
        : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    end: () => worker.terminate(),
  };
}
