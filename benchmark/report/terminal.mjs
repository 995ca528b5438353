// What the run says while it goes on.

import { cellName, DIFFERENCE, ratios } from '../statistics.mjs';
import { judge } from '../targets.mjs';
import {
  boundText,
  fixed,
  furtherText,
  integer,
  kilo,
  micro,
  seenText,
  significant,
  storedText,
  times,
} from './format.mjs';

const WIDTHS = [10, 11, 11, 11, 12, 13];

export function printNotRun(notRun) {
  for (const { name, reason } of notRun) console.log(`Not run: ${name}: ${reason}`);
}

export function printCell(cell) {
  console.log(`\n${cellName(cell)}`);
  console.log(row('', 'ops/s', 'p50 ms', 'p99 ms', 'main µs/op', 'all µs/op', 'server µs/op'));
  const pairs = ratios(cell);
  for (const result of cell.results) {
    const against = pairs
      .filter((pair) => pair.peer === result.name)
      .map((pair) => `  ${pair.ours} does ${times(pair.throughput)}`);
    console.log(
      row(
        result.name,
        significant(result.opsPerSecond),
        fixed(result.p50, 3),
        fixed(result.p99, 3),
        micro(result.mainThread),
        micro(result.process),
        micro(result.serverCpu),
        ...against,
      ),
    );
    for (const text of [furtherText(result), storedText(result)]) if (text !== '') console.log(`    ${text}`);
  }
  printNotRun(cell.failures ?? []);
}

export function printFloors({ json, redis }) {
  console.log('\nFloors: JSON.parse and JSON.stringify of the same texts, µs');
  for (const { bytes, text, parse, stringify } of json) {
    console.log(row(`${bytes} B, ${text}`, micro(parse), micro(stringify)));
  }
  console.log(
    `Limit of the server (redis-benchmark), ops/s${redis.reason ? `: not run: ${redis.reason}` : ''}`,
  );
  for (const { test, bytes, clients, pipeline, opsPerSecond } of redis.rows ?? []) {
    console.log(row(`${test} ${bytes} B, ${clients} clients, pipeline ${pipeline}`, integer(opsPerSecond)));
  }
}

export function printCosts({ start, clients, entries, sizes, hotPath }) {
  console.log('\nLoading, ms');
  for (const { name, milliseconds, how, reason } of start) {
    console.log(row(name, reason ?? fixed(milliseconds, 1), ...(how ? [how] : [])));
  }
  console.log(
    '\nA connected client in a process of its own, above a bare one; peak under load at 1 KB and 16 KB',
  );
  console.log(row('', 'idle MB', 'threads', 'handles', 'peak MB', 'peak MB'));
  for (const { name, rss, threads, handles, peak, reason } of clients) {
    console.log(
      reason === undefined
        ? row(name, fixed(rss, 1), threads, handles, ...Object.values(peak).map((mib) => fixed(mib, 0)))
        : `  ${name}: not run: ${reason}`,
    );
  }
  console.log(
    `\nBytes beside the JSON of an entry of ${entries.bytes} B; in Redis above a plain string with a ttl`,
  );
  console.log(row('', 'no tags', '5 tags'));
  for (const { name, plain, tagged, reason } of entries.redis) {
    console.log(row(name, reason ?? fixed(plain, 0), tagged === null ? '–' : fixed(tagged, 0)));
  }
  for (const { name, overhead, reason } of entries.memory) {
    console.log(row(`${name} (in process)`, reason ?? fixed(overhead, 0)));
  }
  console.log(
    `\nAddon ${kilo(sizes.addon.bytes)}; package ${kilo(sizes.packed)}, unpacked ${kilo(sizes.unpacked)}; ` +
      sizes.peers.map(({ name, bytes }) => `${name} ${kilo(bytes)}`).join(', '),
  );
  printHotPath(hotPath);
}

function printHotPath({ peers, allocations }) {
  console.log(
    "\nOf a batch of gets of 1 KB, by threads (main, the client's own, others): wake-ups, then system calls",
  );
  for (const { name, batches, reason, untraced } of peers) {
    if (reason !== undefined) console.log(`  ${name}: not run: ${reason}`);
    if (untraced !== undefined) console.log(`  ${name}: system calls not counted: ${untraced}`);
    for (const { atOnce, wakeUps, calls = {} } of batches ?? []) {
      const counts = [wakeUps, calls].flatMap(({ main, own, others }) => [main, own, others]);
      console.log(row(`${name}, ${atOnce}`, ...counts.map((count) => fixed(count, 1))));
    }
  }
  if (allocations.reason !== undefined) console.log(`  Allocations not counted: ${allocations.reason}`);
  else {
    for (const { atOnce, allocations: times, bytes } of allocations) {
      console.log(
        `  A get of ${atOnce}: ${fixed(times, 1)} allocations in the core, ${integer(bytes)} bytes`,
      );
    }
  }
}

export function printSummary({ cells, seconds }) {
  console.log('\nWhat it must show');
  for (const { figure, metric, seen, met } of judge(cells)) {
    console.log(`${met === undefined ? 'NOT RUN' : met ? 'met    ' : 'NOT MET'} ${figure}`);
    for (const one of seen) {
      const { cell, peer, bound, met } = one;
      const text =
        met === undefined ? seenText(metric, one) : `${seenText(metric, one)} (${boundText(metric, bound)})`;
      console.log(`          ${met ? ' ' : '!'} ${text} ${peer} (${cell})`);
    }
  }
  const behind = cells.flatMap((cell) =>
    ratios(cell).filter(({ throughput }) => throughput < 1 / DIFFERENCE),
  );
  console.log(
    `\n${cells.length} cells in ${seconds} s; behind by more than ${DIFFERENCE}x in ${behind.length} comparisons.`,
  );
}

function row(name, ...columns) {
  const text = columns.map((column, at) =>
    at < WIDTHS.length ? String(column).padStart(WIDTHS[at]) : `  ${column}`,
  );
  return `  ${name.padEnd(28)}${text.join('')}`;
}
