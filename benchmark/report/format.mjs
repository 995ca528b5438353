// How figures are written, on the terminal and in documents.

import { METRICS } from '../targets.mjs';

export const integer = (number) =>
  Number.isFinite(number) ? Math.round(number).toLocaleString('en-US') : '–';
export const fixed = (number, digits) => (Number.isFinite(number) ? number.toFixed(digits) : '–');
/** `12.3`, or a dash where the machine has no such clock. */
export const micro = (number) => fixed(number, 1);
export const times = (number) =>
  Number.isFinite(number) ? (number >= 100 ? `${integer(number)}x` : `${number.toFixed(2)}x`) : '–';
export const kilo = (bytes) =>
  bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MB` : `${(bytes / 1_024).toFixed(0)} KB`;

/** Lines of a Markdown table, the first column to the left. */
export const table = (head, rows) => [
  `| ${head.join(' | ')} |`,
  `|${head.map((_, at) => (at === 0 ? '---' : '---:')).join('|')}|`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
];

/** What is seen beside its bound, as a person reads it. */
export function boundText(metric, bound) {
  const { unit, least } = METRICS[metric];
  return unit === undefined ? `${least ? 'at least' : 'at most'} ${bound}x` : `at most ${bound} ${unit}`;
}
export function seenText(metric, { ratio, theirs, refused }) {
  const { unit } = METRICS[metric];
  if (ratio === undefined) return refused ? `${refused.name}: ${refused.reason}` : '–';
  if (unit === undefined) return times(ratio);
  return `${significant(ratio)} ${unit} (theirs: ${significant(theirs)})`;
}
export const significant = (number) =>
  number >= 100 ? integer(number) : fixed(number, number >= 10 ? 1 : 2);

const FURTHER = [
  ['hits', ({ hitRatio }) => hitRatio && `${fixed(hitRatio * 100, 0)}%`],
  ['MB of Redis', ({ redisMemory, stored }) => significant(redisMemory ?? stored?.at(-1).redisMemory)],
  ['keys in Redis', ({ keys, stored }) => integer(keys ?? stored?.at(-1).keys)],
  ['MB by which the heap rises', ({ heap }) => significant(heap)],
  ['longest pause of the server in ms', ({ pause }) => significant(pause)],
];

/** What only some workloads have to say, beside the columns that all have; of several results beside each other. */
export const furtherText = (...results) =>
  FURTHER.map(([label, of]) => [label, results.map((result) => of(result) ?? '–')])
    .filter(([, figures]) => figures.some((figure) => figure !== '–'))
    .map(([label, figures]) => `${label}: ${figures.join(' / ')}`)
    .join('; ');

/** How what is stored grows. */
export const storedText = ({ stored }) =>
  stored === undefined
    ? ''
    : `in Redis after each part: ${stored
        .map(({ redisMemory, keys }) => `${significant(redisMemory)} MB in ${integer(keys)} keys`)
        .join(', ')}`;

export const metText = (met) => (met === undefined ? 'not run' : met ? 'met' : '**not met**');

/** Prints lines of Markdown, the columns of each table below each other. */
export function say(lines) {
  let rows = [];
  for (const line of ['', ...lines, '']) {
    if (line.startsWith('|')) {
      if (!/^[|:-]+$/.test(line)) rows.push(line.slice(1, -1).split('|'));
      continue;
    }
    const width = (at) => Math.max(...rows.map((row) => row[at].length));
    const aligned = (cell, at) => (at === 0 ? cell.padEnd(width(at)) : cell.padStart(width(at)));
    for (const row of rows) console.log(row.map(aligned).join(''));
    rows = [];
    console.log(line);
  }
}
