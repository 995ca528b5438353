// Numbers as people read them.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);

export function bytes(n) {
  return n >= 1_048_576 ? `${short.format(n / 1_048_576)} MiB` : `${short.format(n / 1_024)} KiB`;
}

/** @param {number[]} values @param {number} share from 0 to 1 */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

export function micros(n) {
  return n >= 1_000 ? `${short.format(n / 1_000)} ms` : `${whole.format(n)} µs`;
}

/** @param {string[][]} rows the first is the heading; all columns but the first are numbers */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ');
  const [heading, ...rest] = rows.map((row) => `  ${line(row)}`);
  return [heading, `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`, ...rest].join('\n');
}
