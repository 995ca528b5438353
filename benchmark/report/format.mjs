// How figures are written, on the terminal and in documents.

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
export const boundText = (metric, bound) => (metric === 'ops' ? `at least ${bound}x` : `at most ${bound}x`);
export const metText = (met) => (met === undefined ? 'not run' : met ? 'met' : '**not met**');
