// docs/benchmarks/chart.svg: the main figures as bars.

const OURS = '#0b7285';
const THEIRS = '#adb5bd';
const get = { workload: 'get', tagged: false, text: 'ascii' };
const small = { ...get, bytes: 1_024, concurrency: 64 };
const rate = ({ opsPerSecond }) => opsPerSecond / 1_000;

/** Title, cell and value; the longest bar is the best unless the title says that less is better. */
const PANELS = [
  [
    'a shop: new listing of 30 products, with its tags: listings/s',
    { workload: 'shopNew', limit: 30 },
    ({ opsPerSecond }) => opsPerSecond,
  ],
  [
    'the same: main-thread ms a listing (less is better)',
    { workload: 'shopNew', limit: 30 },
    ({ mainThread }) => mainThread / 1_000,
  ],
  [
    'a shop: an import of 12,500 ids, in ms (less is better)',
    { workload: 'shopEvent', entries: 12_500 },
    ({ p50 }) => p50,
  ],
  [
    'a shop: 100 listings of 450 tags, MB of Redis (less is better)',
    { workload: 'shopMemory' },
    ({ redisMemory }) => redisMemory,
  ],
  ['get 1 KB, 64 at a time: thousand ops/s', small, rate],
  ['the same: main-thread µs an operation (less is better)', small, ({ mainThread }) => mainThread],
  ['get 16 KB, 16 at a time: thousand ops/s', { ...get, bytes: 16_384, concurrency: 16 }, rate],
  ['set 1 KB with 5 tags, 64 at a time: thousand ops/s', { ...small, workload: 'set', tagged: true }, rate],
  [
    'Promise.all of 100 gets, 200 B: thousand gets/s',
    { ...get, workload: 'allOf', bytes: 200, concurrency: 1 },
    rate,
  ],
  [
    'hit in process (L1), 200 B: thousand ops/s',
    { ...get, workload: 'hits', bytes: 200, concurrency: 1 },
    rate,
  ],
];

const COLUMN = 530;
const [LEFT, BAR_WIDTH, BAR, HEAD, TOP] = [190, 270, 22, 40, 44];

/** @returns the SVG's text */
export function chart({ cells, date, versions, machine }) {
  const tops = [TOP, TOP];
  const shown = PANELS.flatMap(([title, wanted, value]) => {
    const cell = cells.find((one) => Object.entries(wanted).every(([field, value]) => one[field] === value));
    return cell === undefined ? [] : [[title, cell.results, value]];
  });
  const panels = shown.map(([title, results, value], at) => {
    const bars = results.map((result) => ({ ...result, value: value(result) }));
    const sign = title.includes('less is better') ? 1 : -1;
    bars.sort((a, b) => sign * (a.value - b.value));
    const [x, y] = [(at % 2) * COLUMN, tops[at % 2]];
    tops[at % 2] = y + HEAD + BAR * bars.length;
    // Both columns of a row begin at one height.
    if (at % 2 === 1) tops.fill(Math.max(...tops));
    const most = Math.max(...bars.map((bar) => bar.value));
    const rows = bars.map((bar, row) => {
      const [middle, width] = [y + HEAD + BAR * row, (BAR_WIDTH * bar.value) / most];
      const figure = bar.value.toFixed(bar.value >= 100 ? 0 : 1);
      return (
        text(x + LEFT - 6, middle, bar.name, 'text-anchor="end"') +
        `<rect x="${x + LEFT}" y="${middle - 11}" width="${width.toFixed(1)}" height="14" fill="${bar.ours ? OURS : THEIRS}"/>` +
        text(x + LEFT + width + 5, middle, figure)
      );
    });
    return text(x + 12, y + 16, title, 'font-weight="600"') + rows.join('\n');
  });
  const about = `${date.slice(0, 10)}, Node.js ${versions.node}, ${machine.cores} cores, server on the same machine`;
  const [width, height] = [2 * COLUMN, Math.max(...tops)];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11.5" fill="#212529">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${text(12, 20, 'cachalot beside its peers', 'font-size="15" font-weight="600"')}${text(12, 36, about)}
${panels.join('\n')}
</svg>
`;
}

const text = (x, y, words, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y}" ${more}>${words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
