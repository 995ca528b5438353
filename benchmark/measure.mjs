// One slice: a number of workers, each with one run of the workload in flight, for a stretch of time. What comes out is
// counted and checked, so that a client that misses or answers with something else fails the run instead of winning it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** The collector goes on sweeping on other threads after it has answered: not in somebody's slice. */
const SWEEP_MS = 10;

/** One run in this many is compared field by field; comparing each would measure the comparison. */
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

/** CPU of another process of ours, all threads, in µs; NaN where the machine does not tell. */
function cpuOf(pid) {
  if (pid === undefined) return Number.NaN;
  try {
    let nanoseconds = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]);
    }
    return nanoseconds / 1_000;
  } catch {
    return Number.NaN;
  }
}

const memory = (field) => {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(found[1]) / 1_024;
};

/** From here on; the system keeps the highest until it is told to forget. @returns a function: MiB above where it began */
function risingMemory() {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    const before = memory('VmRSS');
    return () => Math.max(0, memory('VmHWM') - before);
  } catch {
    return () => Number.NaN;
  }
}

/** All clocks at once. @returns a function: what was used since, by `operations` operations */
export function clocks(serverPid) {
  // The slowest to read first, the shortest stretches innermost: reading a clock is no part of what is measured.
  const risen = risingMemory();
  const server = cpuOf(serverPid);
  const cpu = process.cpuUsage();
  const thread = threadClock.microseconds();
  const began = performance.now();
  return (operations) => {
    const seconds = (performance.now() - began) / 1_000;
    const mainThread = threadClock.microseconds() - thread;
    const { user, system } = process.cpuUsage(cpu);
    return {
      operations,
      seconds,
      opsPerSecond: operations / seconds,
      mainThread: mainThread / operations,
      process: (user + system) / operations,
      serverCpu: (cpuOf(serverPid) - server) / operations,
      memory: risen(),
    };
  };
}

/**
 * @param workload `{ run(client, data, index), check(value, data, index, compare), per, inTurn }`
 * @param most runs, where it does not go by the clock
 * @returns medians are made of: `{ operations, seconds, opsPerSecond, p50, p99, mainThread, process, serverCpu, memory }`:
 *   percentiles in ms, CPU in µs an operation, memory in MiB
 */
export async function slice(
  contestant,
  workload,
  data,
  concurrency,
  milliseconds,
  serverPid,
  most = Number.POSITIVE_INFINITY,
) {
  const { client, name } = contestant;
  const { per = 1 } = workload;
  const latencies = [];
  const sampled = [];
  const count = workload.count?.(data) ?? data.keys.length;
  let next = 0;
  globalThis.gc?.();
  await pause(SWEEP_MS);
  const used = clocks(serverPid);
  const until = performance.now() + milliseconds;

  async function worker() {
    for (;;) {
      const index = next++ % count;
      const start = performance.now();
      const value = await workload.run(client, data, index);
      const end = performance.now();
      latencies.push(end - start);
      workload.check?.(value, data, index, name);
      if (latencies.length % SAMPLE === 1) sampled.push([index, value]);
      if (end >= until || next >= most) return;
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));

  const figures = used(latencies.length * per);
  await workload.verify?.(client, data, sampled, name);
  const sorted = Float64Array.from(latencies).sort();
  const each = workload.inTurn ? per : 1;
  return { ...figures, p50: percentile(sorted, 0.5) / each, p99: percentile(sorted, 0.99) / each };
}

/** Writes the whole data set and reads it back, every value compared. */
export async function fill({ client, name }, data) {
  for (const [index, key] of data.keys.entries()) {
    await client.set(key, data.values[index], data.tags?.[index] ?? null);
  }
  for (const [index, key] of data.keys.entries()) {
    assert.deepEqual(await client.get(key), data.values[index], `${name} does not hold ${key}`);
  }
  const invented = await client.get(`${data.keys[0]}:never-written`);
  assert.equal(invented ?? null, null, `${name} invents values`);
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
