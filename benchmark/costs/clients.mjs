// What a connected client costs: memory, threads and handles while idle, and its peak under load.

import { PEERS } from '../peers/index.mjs';
import { median } from '../statistics.mjs';
import { inChild } from './in-child.mjs';

/** @returns `[{ name, ours, rss, threads, handles, peak: { bytes: MiB } } or { name, ours, reason }]`, above a bare process but for the peak */
export async function clients(ports, { rounds, milliseconds }) {
  const measured = PEERS.filter(({ variant }) => !variant);
  const names = ['none', ...measured.map(({ name }) => name)];
  const seen = new Map(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      seen
        .get(name)
        .push(await inChild('client-child.mjs', [name, ports.redisPort, ports.memcachedPort, milliseconds]));
    }
  }
  const [bare, ...rest] = names.map((name) => summary(seen.get(name)));
  return measured.map(({ name, ours = false }, at) => {
    const { reason, ...figures } = rest[at];
    if (reason !== undefined) return { name, ours, reason };
    const above = Object.fromEntries(
      ['rss', 'threads', 'handles'].map((field) => [field, figures[field] - bare[field]]),
    );
    return { name, ours, ...above, peak: figures.peak };
  });
}

function summary(all) {
  const failed = all.find(({ reason }) => reason !== undefined);
  if (failed) return failed;
  const of = (field) => median(all.map(field));
  return {
    rss: of(({ rss }) => rss),
    threads: of(({ threads }) => threads),
    handles: of(({ handles }) => handles),
    peak: Object.fromEntries(Object.keys(all[0].peak).map((bytes) => [bytes, of(({ peak }) => peak[bytes])])),
  };
}
