// From the slices of a cell to the figures that are published.

import { WORKLOADS } from './workloads/index.mjs';

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** What two runs of the same code may be apart on a machine like this; less is not called a difference. */
export const DIFFERENCE = 1.2;

/** What only some workloads give. */
const FURTHER = ['hitRatio', 'redisMemory', 'keys', 'heap', 'pause'];

/** Medians over the rounds of every field of a slice, and the extremes of ops/s, which show how steady the run was. */
export function summarise(slices) {
  const of = (field) => median(slices.map((slice) => slice[field]));
  const rates = slices.map((slice) => slice.opsPerSecond);
  return {
    opsPerSecond: of('opsPerSecond'),
    slowest: Math.min(...rates),
    fastest: Math.max(...rates),
    p50: of('p50'),
    p99: of('p99'),
    mainThread: of('mainThread'),
    process: of('process'),
    serverCpu: of('serverCpu'),
    memory: of('memory'),
    operations: slices.reduce((sum, slice) => sum + slice.operations, 0),
    ...Object.fromEntries(
      FURTHER.filter((field) => slices[0][field] !== undefined).map((field) => [field, of(field)]),
    ),
    // What is stored grows from one round to the next: no median says that.
    ...(slices[0].stored && { stored: slices.map(({ stored }) => stored) }),
  };
}

/**
 * `[{ ours, peer, throughput, mainThread, p50 }]`: ours against each peer on the same server. Throughput above 1 is in
 * our favour; the others are ours divided by the peer's, so below 1 is.
 */
export function ratios(cell) {
  const pairs = [];
  const ours = cell.results.filter((result) => result.ours);
  for (const peer of cell.results.filter((result) => !result.ours)) {
    const rivals = ours.filter(({ server }) => server === peer.server);
    const named = rivals.filter(({ name }) => peer.against?.includes(name) ?? true);
    // Where none of those it is compared with takes part, it is compared with those who do.
    for (const own of named.length > 0 ? named : rivals) {
      pairs.push({
        ours: own.name,
        peer: peer.name,
        throughput: own.opsPerSecond / peer.opsPerSecond,
        mainThread: own.mainThread / peer.mainThread,
        p50: own.p50 / peer.p50,
      });
    }
  }
  return pairs;
}

export const sizeName = (bytes) => (bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KB`);

const TEXTS = { ascii: '', latin1: ', Latin-1 text', utf16: ', non-Latin text' };

export function cellName(shape) {
  const { workload, bytes, concurrency, tagged, text, entries } = shape;
  const { what, name } = WORKLOADS[workload];
  if (name) return name(shape);
  if (entries !== undefined) return `${what} of ${entries.toLocaleString('en-US')} entries`;
  const times = concurrency === 1 && (workload === 'allOf' || workload === 'getMany' || workload === 'hits');
  return `${what} ${sizeName(bytes)}${times ? '' : `, ${concurrency} at a time`}${tagged ? ', 5 tags' : ''}${TEXTS[text]}`;
}
