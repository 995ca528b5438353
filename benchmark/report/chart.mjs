// docs/benchmarks/chart.svg: the main figures as bars, drawn by ECharts.

const OURS = '#0b7285';
const THEIRS = '#adb5bd';
const KB = 1_024;

const PANELS = [
  {
    title: 'a shop: new listing of 30 products, with its tags: listings/s',
    cell: { workload: 'shopNew', limit: 30 },
    value: ({ opsPerSecond }) => opsPerSecond,
  },
  {
    title: 'the same: main-thread ms a listing (less is better)',
    cell: { workload: 'shopNew', limit: 30 },
    value: ({ mainThread }) => mainThread / 1_000,
    less: true,
  },
  {
    title: 'a shop: an import of 12,500 ids, in ms (less is better)',
    cell: { workload: 'shopEvent', entries: 12_500 },
    value: ({ p50 }) => p50,
    less: true,
  },
  {
    title: 'a shop: 100 listings of 450 tags, MB of Redis (less is better)',
    cell: { workload: 'shopMemory' },
    value: ({ redisMemory }) => redisMemory,
    less: true,
  },
  {
    title: 'get 1 KB, 64 at a time: thousand ops/s',
    cell: { workload: 'get', bytes: KB, concurrency: 64, tagged: false, text: 'ascii' },
    value: ({ opsPerSecond }) => opsPerSecond / 1_000,
  },
  {
    title: 'the same: main-thread µs an operation (less is better)',
    cell: { workload: 'get', bytes: KB, concurrency: 64, tagged: false, text: 'ascii' },
    value: ({ mainThread }) => mainThread,
    less: true,
  },
  {
    title: 'get 16 KB, 16 at a time: thousand ops/s',
    cell: { workload: 'get', bytes: 16 * KB, concurrency: 16, tagged: false, text: 'ascii' },
    value: ({ opsPerSecond }) => opsPerSecond / 1_000,
  },
  {
    title: 'set 1 KB with 5 tags, 64 at a time: thousand ops/s',
    cell: { workload: 'set', bytes: KB, concurrency: 64, tagged: true, text: 'ascii' },
    value: ({ opsPerSecond }) => opsPerSecond / 1_000,
  },
  {
    title: 'Promise.all of 100 gets, 200 B: thousand gets/s',
    cell: { workload: 'allOf', bytes: 200, concurrency: 1, tagged: false, text: 'ascii' },
    value: ({ opsPerSecond }) => opsPerSecond / 1_000,
  },
  {
    title: 'hit in process (L1), 200 B: thousand ops/s',
    cell: { workload: 'hits', bytes: 200, concurrency: 1, tagged: false, text: 'ascii' },
    value: ({ opsPerSecond }) => opsPerSecond / 1_000,
  },
];

const WIDTH = 1_060;
const COLUMN = WIDTH / 2;
const BAR = 22;
const TITLE = 34;
const GAP = 26;
const LABELS = 190;

/** @returns the SVG's text */
export async function chart(results) {
  const echarts = await import('echarts');
  const panels = PANELS.flatMap(({ cell: wanted, ...panel }) => {
    const cell = results.cells.find((one) =>
      Object.entries(wanted).every(([field, value]) => one[field] === value),
    );
    if (cell === undefined) return [];
    const bars = cell.results
      .map((result) => ({ name: result.name, ours: result.ours, value: panel.value(result) }))
      .sort((a, b) => (panel.less ? b.value - a.value : a.value - b.value));
    return [{ ...panel, bars }];
  });
  const rows = panels.flatMap((_, at) => (at % 2 === 0 ? [panels.slice(at, at + 2)] : []));
  const heights = rows.map((row) => TITLE + GAP + BAR * Math.max(...row.map(({ bars }) => bars.length)));
  const tops = heights.map((_, at) => 44 + heights.slice(0, at).reduce((sum, height) => sum + height, 0));
  const placed = rows.flatMap((row, at) =>
    row.map((panel, column) => ({ ...panel, left: column * COLUMN, top: tops[at] })),
  );
  const drawing = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH,
    height: 44 + heights.reduce((sum, height) => sum + height, 0),
  });
  drawing.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    title: [
      {
        text: 'cachalot beside its peers',
        subtext: `${results.date.slice(0, 10)}, Node.js ${results.versions.node}, ${results.machine.cores} cores, server on the same machine`,
        left: 12,
        top: 4,
        itemGap: 4,
        textStyle: { fontSize: 15 },
      },
      ...placed.map(({ title, left, top }) => ({
        text: title,
        left: left + 12,
        top: top + 12,
        textStyle: { fontSize: 12.5, fontWeight: 600 },
      })),
    ],
    grid: placed.map(({ bars, left, top }) => ({
      left: left + LABELS,
      top: top + TITLE,
      width: COLUMN - LABELS - 70,
      height: BAR * bars.length,
    })),
    xAxis: placed.map((_, gridIndex) => ({ gridIndex, type: 'value', show: false, min: 0 })),
    yAxis: placed.map(({ bars }, gridIndex) => ({
      gridIndex,
      type: 'category',
      data: bars.map(({ name }) => name),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: '#212529', fontSize: 11.5, interval: 0 },
    })),
    series: placed.map(({ bars }, at) => ({
      type: 'bar',
      xAxisIndex: at,
      yAxisIndex: at,
      barWidth: BAR * 0.62,
      data: bars.map(({ value, ours }) => ({ value, itemStyle: { color: ours ? OURS : THEIRS } })),
      label: {
        show: true,
        position: 'right',
        color: '#212529',
        fontSize: 11,
        formatter: ({ value }) => value.toFixed(value >= 100 ? 0 : 1),
      },
    })),
  });
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  return `${svg}\n`;
}
