// What a batch of gets costs beside time: how often threads are woken, system calls, allocations in the core.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../native/build.mjs';
import { PEERS } from '../peers/index.mjs';
import { AT_ONCE, mark } from './hot-path-marks.mjs';
import { inChild } from './in-child.mjs';

const BATCHES = 1_000;
/** Under strace a call takes some hundred times as long. */
const TRACED = 200;

/**
 * @returns `{ bytes, peers: [{ name, ours, batches: [{ atOnce, wakeUps, calls? }], untraced? } or { name, ours, reason }],
 *   allocations: [{ atOnce, allocations, bytes }] or { reason } }`. `wakeUps` and `calls` are of a batch, each
 *   `{ main, own, others }` by threads; allocations of a get.
 */
export async function hotPath(ports, { names, compiles }) {
  const peers = [];
  for (const { name, ours = false } of PEERS.filter(({ name }) => names.includes(name))) {
    peers.push({ name, ours, ...(await onePeer(name, ports)) });
  }
  return {
    bytes: 1_024,
    peers,
    allocations: compiles ? allocations(ports) : { reason: 'a quick run builds nothing' },
  };
}

async function onePeer(name, { redisPort, memcachedPort }) {
  const words = [name, redisPort, memcachedPort];
  const plain = await inChild('hot-path-child.mjs', [...words, BATCHES]);
  if (plain.reason !== undefined) return { reason: plain.reason };
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-strace-'));
  try {
    const file = join(folder, 'trace');
    const under = ['strace', '-f', '-qq', '-s', '64', '-o', file];
    const traced = await inChild('hot-path-child.mjs', [...words, TRACED], under);
    if (traced.reason !== undefined) return { batches: plain.seen, untraced: traced.reason };
    const calls = countCalls(readFileSync(file, 'latin1'), traced.kinds);
    return { batches: plain.seen.map((one) => ({ ...one, calls: calls[one.atOnce] })) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of each number at once, calls of a batch by kind of thread. @param kinds of threads by their ids */
export function countCalls(trace, kinds, batches = TRACED) {
  const counts = {};
  let open;
  for (const line of trace.split('\n')) {
    const begun = AT_ONCE.find((atOnce) => line.includes(`"${mark('begin', atOnce)}"`));
    if (begun !== undefined) {
      open = { main: 0, own: 0, others: 0 };
      counts[begun] = open;
    } else if (AT_ONCE.some((atOnce) => line.includes(`"${mark('end', atOnce)}"`))) {
      open = undefined;
    } else if (open !== undefined) {
      // `PID call(…`; what was interrupted in the trace is counted where it began, signals and exits are no calls.
      const [, thread] = /^(\d+) +[a-z]\w*\(/.exec(line) ?? [];
      if (thread !== undefined) open[kinds[thread] ?? 'others'] += 1 / batches;
    }
  }
  return counts;
}

function allocations({ redisPort }) {
  try {
    return JSON.parse(execFileSync(build('allocations'), [String(redisPort)], { encoding: 'utf8' }));
  } catch (error) {
    return { reason: error.message.split('\n')[0] };
  }
}
