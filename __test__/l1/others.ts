// What others did, in another process or thread, while this one reads without pause.

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Cache, createCache, memcached, memory, redis } from '../../js/index.js';
import { type NodeChild, startNode } from '../support/processes.js';

export const script = (name: string) => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));

export interface Place {
  kind: 'redis' | 'memcached' | 'memory';
  options: object;
}

export const WAYS = [
  'delete',
  'pull',
  'expire',
  'deleteByTag',
  'expireByTag',
  'clear',
  'clearNamespace',
] as const;

export interface Other {
  ask(way: 'set' | (typeof WAYS)[number], what: { key: string; value?: number; tag?: string }): Promise<void>;
  end(): void;
}

export function cacheAt({ kind, options }: Place, l1: boolean | { ttl?: number } = true): Cache {
  const store = { memcached, memory, redis }[kind](options as never);
  return createCache({ store, l1, errors: 'throw' });
}

/** A process; for process memory a thread of this one. */
export async function other(place: Place): Promise<Other> {
  const waiting = new Map<number, { resolve: () => void; reject: (why: Error) => void }>();
  let ready: () => void;
  const started = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const heard = (message: { id?: number; ready?: boolean; error?: string }) => {
    const waiter = waiting.get(message.id ?? -1);
    if (message.ready) ready();
    else if (message.error) waiter?.reject(new Error(message.error));
    else waiter?.resolve();
  };
  const config = JSON.stringify(place);
  let child: NodeChild | undefined;
  let thread: Worker | undefined;
  if (place.kind === 'memory') {
    thread = new Worker(script('writer'), { workerData: config });
    thread.on('message', heard);
  } else {
    child = startNode(script('writer'), { args: [config], timeoutMs: 120_000 });
    child.process.on('message', heard);
  }
  await started;
  let next = 0;
  return {
    ask(way, what) {
      const id = next++;
      const answered = new Promise<void>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
      }).finally(() => waiting.delete(id));
      const message = { id, way, ...what };
      if (child) child.send(message);
      else thread?.postMessage(message);
      return answered;
    },
    end() {
      child?.kill();
      void thread?.terminate();
    },
  };
}

export interface Raced {
  checks: number;
  stale: string[];
  l1Hits: number;
}

/**
 * Every key belongs to one lane, which has it replaced or cleared and then looks: after one round trip of its own
 * connection it must find exactly what is there. Lanes of readers keep every key in L1 all the while.
 */
export async function race(
  cache: Cache,
  others: readonly Other[],
  rounds: number,
  alone: boolean,
): Promise<Raced> {
  const stale: string[] = [];
  let checks = 0;
  let over = false;
  const keys = others.flatMap((_, at) => Array.from({ length: alone ? 1 : 4 }, (_, n) => `s${at}${n}:k`));
  const reader = async () => {
    for (let n = 0; !over; n++) {
      await cache.get(keys[n % keys.length] as string);
      if (n % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const lane = async (key: string, at: number) => {
    const by = others[Math.floor(at / (keys.length / others.length))] as Other;
    const tag = `t${at}`;
    let there: number | undefined;
    const check = async (way: string) => {
      // One round trip over our own connection.
      await cache.missing('none');
      const found = await cache.get<number>(key);
      checks++;
      if (found !== there) stale.push(`${key} after ${way}: ${found}, expected ${there}`);
      // So that it is in L1 when the next change comes.
      await cache.get(key);
    };
    for (let round = 0; round < rounds; round++) {
      there = round;
      await by.ask('set', { key, value: round, tag });
      await check('set');
      // What clears everything would clear the other lanes' too.
      const ways = alone ? WAYS : WAYS.filter((way) => way !== 'clear');
      const way = ways[round % ways.length] as (typeof WAYS)[number];
      there = undefined;
      await by.ask(way, { key, tag });
      await check(way);
    }
  };
  const readers = [reader(), reader(), reader()];
  await Promise.all(keys.map(lane));
  over = true;
  await Promise.all(readers);
  return { checks, stale, l1Hits: cache.stats().l1Hits };
}
