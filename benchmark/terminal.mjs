// What the run says while it goes on.

import { cellName, isOurs, ratios } from './statistics.mjs';

const integer = (number) => Math.round(number).toLocaleString('en-US');
/** `12.3`, or a dash where the machine has no such clock. */
export const micro = (number) => (Number.isFinite(number) ? number.toFixed(1) : '–');

export function printCell(cell) {
  console.log(`\n${cellName(cell)}`);
  console.log(row('', 'ops/s', 'p50 ms', 'p99 ms', 'main µs/op', 'all µs/op', 'ratio of ops/s to peers'));
  const pairs = ratios(cell);
  for (const result of cell.results) {
    const against = pairs
      .filter((pair) => pair.ours === result.name)
      .map((pair) => `${pair.throughput.toFixed(2)}x ${pair.peer}`);
    console.log(
      row(
        result.name,
        integer(result.opsPerSecond),
        result.p50.toFixed(3),
        result.p99.toFixed(3),
        micro(result.mainThread),
        micro(result.process),
        isOurs(result.name) ? against.join(', ') : '',
      ),
    );
  }
}

export function printSummary(results, expected) {
  console.log(`\n${results.cells.length} cells in ${results.seconds} s.`);
  for (const { what, expected: least, seen } of expected) {
    console.log(`${seen >= least ? 'As expected' : 'BELOW EXPECTATION'}: ${what}; seen ${seen.toFixed(2)}x.`);
  }
}

function row(name, ...columns) {
  const widths = [10, 9, 9, 11, 11];
  return `  ${name.padEnd(24)}${columns.map((text, at) => (at < widths.length ? text.padStart(widths[at]) : `  ${text}`)).join('')}`;
}
