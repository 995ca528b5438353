// One slice: a number of workers, each with one operation in flight, for a stretch of time. What comes out is counted
// and checked, so that a contestant that misses or answers with something else fails the run instead of winning it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** One hit in this many is compared field by field; comparing each would measure the comparison. */
const SAMPLE = 256;

/** On-CPU nanoseconds of the main thread. Its thread id is the process id; this module runs on no other thread. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

export const threadClock = chooseThreadClock();

function chooseThreadClock() {
  if (typeof process.threadCpuUsage === 'function') {
    return {
      name: 'process.threadCpuUsage',
      microseconds() {
        const { user, system } = process.threadCpuUsage();
        return user + system;
      },
    };
  }
  try {
    readFileSync(SCHEDSTAT);
    return {
      name: '/proc schedstat',
      microseconds: () => Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1_000,
    };
  } catch {
    return { name: 'unavailable', microseconds: () => Number.NaN };
  }
}

/**
 * @param operation `get` or `set`
 * @param data `{ keys, values, tags }`, tags null where entries are untagged
 * @returns `{ operations, seconds, opsPerSecond, p50, p99, mainThread, process }`: percentiles in ms, CPU in µs an operation
 */
export async function slice(contestant, operation, data, concurrency, milliseconds) {
  const latencies = [];
  const sampled = [];
  const count = data.keys.length;
  let next = 0;
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const thread = threadClock.microseconds();
  const began = performance.now();
  const until = began + milliseconds;

  async function getter() {
    for (;;) {
      const index = next++ % count;
      const start = performance.now();
      const value = await contestant.get(data.keys[index]);
      const end = performance.now();
      latencies.push(end - start);
      if (value === null || value === undefined)
        throw new Error(`${contestant.name}: ${data.keys[index]} is a miss.`);
      if (latencies.length % SAMPLE === 1) sampled.push([index, value]);
      if (end >= until) return;
    }
  }
  async function setter() {
    for (;;) {
      const index = next++ % count;
      const start = performance.now();
      await contestant.set(data.keys[index], data.values[index], data.tags?.[index] ?? null);
      const end = performance.now();
      latencies.push(end - start);
      if (end >= until) return;
    }
  }
  await Promise.all(Array.from({ length: concurrency }, operation === 'get' ? getter : setter));

  const seconds = (performance.now() - began) / 1_000;
  const mainThread = threadClock.microseconds() - thread;
  const { user, system } = process.cpuUsage(cpu);
  const operations = latencies.length;
  if (operation === 'set') {
    const written = Math.min(next, count);
    for (let index = 0; index < written; index += 16)
      sampled.push([index, await contestant.get(data.keys[index])]);
  }
  for (const [index, value] of sampled) {
    assert.deepEqual(
      value,
      data.values[index],
      `${contestant.name}: another value came back for ${data.keys[index]}`,
    );
  }
  const sorted = Float64Array.from(latencies).sort();
  return {
    operations,
    seconds,
    opsPerSecond: operations / seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    mainThread: mainThread / operations,
    process: (user + system) / operations,
  };
}

/** Writes the whole data set and reads it back, every value compared. */
export async function fill(contestant, data) {
  for (const [index, key] of data.keys.entries()) {
    await contestant.set(key, data.values[index], data.tags?.[index] ?? null);
  }
  for (const [index, key] of data.keys.entries()) {
    assert.deepEqual(
      await contestant.get(key),
      data.values[index],
      `${contestant.name} does not hold ${key}`,
    );
  }
  assert.equal(
    (await contestant.get('bench:never-written')) ?? null,
    null,
    `${contestant.name} invents values`,
  );
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
