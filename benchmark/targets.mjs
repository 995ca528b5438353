// What the benchmark must show, as data. A row is met if every peer of it is within its bound.
//
//   figure  what it says
//   cells   which cells it is seen in: all that have these fields
//   ours    who of ours it is about, the Redis provider if it says nothing
//   metric  one of METRICS, ops if it says nothing
//   bounds  by peer, which is another of ours where two settings are compared
//   why, closes   where it falls short: why, and what would close it. No figures: those come from the run
//   floor   work that no client is spared (`parse`, `stringify`): its time stands beside what falls short

import { SHOP_TARGETS } from './shop/targets.mjs';
import { cellName } from './statistics.mjs';

const KB = 1_024;
const plain = { tagged: false, text: 'ascii' };
const small = [
  { workload: 'get', bytes: 200, concurrency: 64, ...plain },
  { workload: 'get', bytes: KB, concurrency: 64, ...plain },
];
const PROVIDER = 'cachalot redis';

/** Ours divided by the peer's, at most the bound, or at least it; with a unit ours alone, at most the bound. */
export const METRICS = {
  ops: { field: 'opsPerSecond', least: true },
  main: { field: 'mainThread' },
  server: { field: 'serverCpu' },
  p50: { field: 'p50' },
  p99: { field: 'p99' },
  ms: { field: 'p50', unit: 'ms' },
  pause: { field: 'pause', unit: 'ms' },
  heap: { field: 'heap', unit: 'MB' },
  redis: { field: 'redisMemory', unit: 'MB' },
};

export const TARGETS = [
  ...SHOP_TARGETS,
  {
    figure: 'get 200 B and 1 KB, 64 at a time: ops/s',
    cells: small,
    bounds: { 'caching-redis': 2.5, ioredis: 2, 'node-redis': 3, 'valkey-glide': 2 },
    why: 'The main thread works most of the time, and every value must be parsed.',
    closes:
      'Handing out one parsed value (`l1: { share: true }`), or results that arrive while others are worked on: smaller deliveries were tried, and lost (docs/decisions/0013).',
    floor: 'parse',
  },
  {
    figure: 'the same: main-thread µs an operation',
    cells: small,
    metric: 'main',
    bounds: { 'caching-redis': 0.35 },
    why: "JSON.parse of the value is in both figures, and so are V8's string, the promise and the caller's own `await`.",
    closes: 'Handing out one parsed value (`l1: { share: true }`): nothing else parses less.',
    floor: 'parse',
  },
  {
    figure: 'get 1 KB, 1 at a time: p50',
    cells: [{ workload: 'get', bytes: KB, concurrency: 1, ...plain }],
    metric: 'p50',
    bounds: { ioredis: 1.3 },
    why: 'Where the JavaScript thread reads the reply itself (Node.js on Linux), what is left is the turn of a batch through the core; elsewhere a reply wakes two threads, and a client in JavaScript one.',
    closes: 'A way of its own for a single get, past the batch (docs/decisions/0013).',
  },
  {
    figure: 'get 1 KB, 64 at a time: p99',
    cells: [small[1]],
    metric: 'p99',
    bounds: { ioredis: 1 },
    why: 'All replies of a turn are handed over together, so the first waits for the last.',
    closes: 'Smaller deliveries, which were tried and cost more than they gave (docs/decisions/0013).',
  },
  {
    figure: 'get 1 KB with 5 tags, 64 at a time, without RESP3 tracking against with it: ops/s',
    cells: [{ workload: 'get', bytes: KB, concurrency: 64, tagged: true, text: 'ascii' }],
    ours: 'cachalot Cache redis, no tracking',
    bounds: { 'cachalot Cache redis': 0.91 },
    why: 'Both ways ask what was cleared after a clear alone, so nothing should stand between them.',
    closes: 'Finding what RESP2 costs that RESP3 does not.',
  },
  {
    figure: 'get 16 KB, compressed, 1 at a time: ops/s',
    cells: [{ workload: 'get', bytes: 16 * KB, concurrency: 1, ...plain }],
    bounds: { 'caching-redis': 1.8 },
    why: 'Decompression runs before JSON.parse, and one get at a time leaves nothing to overlap them with.',
    closes: "`compression: { algorithm: 'lz4' }`, which decompresses faster and stores more bytes.",
    floor: 'parse',
  },
  {
    figure: 'get 16 KB, compressed, 16 at a time: ops/s',
    cells: [{ workload: 'get', bytes: 16 * KB, concurrency: 16, ...plain }],
    bounds: { 'caching-redis': 1.4 },
    why: 'JSON.parse of the value is most of the main thread in both; gzip runs on several threads beside it.',
    closes: 'Handing out one parsed value (`l1: { share: true }`).',
    floor: 'parse',
  },
  {
    figure: 'set 16 KB and 100 KB: ops/s',
    cells: [
      { workload: 'set', bytes: 16 * KB, ...plain },
      { workload: 'set', bytes: 100 * KB, ...plain },
    ],
    bounds: { 'caching-redis': 3 },
    why: "JSON.stringify is the same work for both. One at a time, a wake of the core's thread and one of ours stand beside it; many at a time, caching-redis compresses on libuv's pool, and ours on as many threads as its runtime lends.",
    closes: 'More cores than the two of this machine.',
    floor: 'stringify',
  },
  {
    figure: 'Promise.all of 100 gets, 200 B: ops/s',
    cells: [{ workload: 'allOf', bytes: 200, ...plain }],
    bounds: { 'caching-redis': 3, 'ioredis auto-pipelining': 2 },
    why: 'JSON.parse and the promises of 100 gets are the same work for all.',
    closes: '`getMany`, which needs one promise.',
    floor: 'parse',
  },
  {
    figure: 'getMany(100), 200 B, against MGET and parse: ops/s',
    cells: [{ workload: 'getMany', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis',
    bounds: { ioredis: 1 },
    why: 'The core copies and checks each value (checksum, epoch, tags) on its own thread, which a reply wakes first; plain MGET checks nothing.',
    closes:
      'One JSON text for all values, which is not safe with stored text that is no JSON; or replies worked on in parts while others arrive.',
    floor: 'parse',
  },
  {
    figure: 'Memcached: get 200 B, 64 at a time: ops/s',
    cells: [small[0]],
    ours: 'cachalot memcached',
    bounds: { memjs: 2, memcache: 2 },
    why: 'The epoch and the record of `*` are read with every chunk of gets.',
    closes: 'Keeping them for some milliseconds, which would serve what was cleared meanwhile.',
    floor: 'parse',
  },
  {
    figure: 'Memcached: set 16 KB: ops/s',
    cells: [{ workload: 'set', bytes: 16 * KB, ...plain }],
    ours: 'cachalot memcached',
    bounds: { memjs: 1, memcache: 1 },
    why: "A set wakes the core's thread before it is sent and after it was answered, and a client in JavaScript wakes none; one at a time that shows, whatever the size. Larger ones are compressed, where the peers send more bytes, which cost next to nothing on one machine.",
    closes: 'Sending from the thread that asks, as small sets are: it would compress on the main thread.',
    floor: 'stringify',
  },
  {
    figure: 'clear of a tag with 10,000 entries: how many times as fast',
    cells: [{ workload: 'clear', entries: 10_000 }],
    bounds: { 'caching-redis': 100 },
    why: 'What is seen is the pause of the machine beside it: ours is one script and a round trip, theirs grows with the entries.',
    closes: 'More entries: at the next size the ratio is larger.',
  },
  {
    figure: 'hit in process (L1), 200 B: ops/s',
    cells: [{ workload: 'hits', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis + l1',
    bounds: { 'bentocache memory + redis': 3 },
    why: 'JSON.parse of the value is the same work for both.',
    closes: '`share: true`, which parses once.',
    floor: 'parse',
  },
  {
    figure: 'the same, against a string of lru-cache, parsed: time an operation',
    cells: [{ workload: 'hits', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis + l1',
    metric: 'main',
    bounds: { 'lru-cache + JSON.parse': 1.3 },
    why: 'The counters of key and tags are checked, and two clocks, beside a lookup and JSON.parse.',
    closes: 'Fewer checks, and values that outlive their clear.',
    floor: 'parse',
  },
  {
    figure: 'get 200 B and 1 KB, 64 at a time, against a pure-JS client that joins a turn: ops/s',
    cells: small,
    bounds: { 'pure-JS control': 0.9 },
    why: 'The control checks nothing: no epoch, checksum or tags. The second thread that checks takes time from the server where there are two cores.',
    closes: 'A third core, or no checks.',
    floor: 'parse',
  },
  {
    figure: 'get 16 KB and 100 KB, against the same, plain and with gzip: ops/s',
    cells: [
      { workload: 'get', bytes: 16 * KB, ...plain },
      { workload: 'get', bytes: 100 * KB, ...plain },
    ],
    bounds: { 'pure-JS control': 1, 'pure-JS control + gzip': 1 },
    why: 'Against the plain control we decompress, which it need not; on one machine the bytes that this saves cost next to nothing. One at a time, the wakes of two threads come to it.',
    closes:
      '`compression: { threshold }` above the size of the values, where the server is on the same machine.',
    floor: 'parse',
  },
];

const fits = (cell, wanted) => Object.entries(wanted).every(([field, value]) => cell[field] === value);

/**
 * `[{ figure, why, closes, floor, ours, metric, seen: [{ cell, bytes, text, peer, bound, ratio, theirs, met, main, refused }],
 * met }]`; `met` and `ratio` are undefined where nothing was seen (`refused` says why, if somebody did), `main` is main-thread
 * µs of ours and of the peer, `theirs` the peer's figure.
 */
export function judge(cells) {
  return TARGETS.map(({ cells: wanted, bounds, ...row }) => {
    const target = { ours: PROVIDER, metric: 'ops', ...row };
    const seen = wanted.flatMap((pattern) =>
      cells.filter((cell) => fits(cell, pattern)).flatMap((cell) => judgeCell(cell, target, bounds)),
    );
    const known = seen.filter(({ met }) => met !== undefined);
    return { ...target, seen, met: known.length === 0 ? undefined : known.every(({ met }) => met) };
  });
}

function judgeCell(cell, { ours, metric }, bounds) {
  const { field, unit, least } = METRICS[metric];
  const of = (name, field) => cell.results.find((result) => result.name === name)?.[field];
  const own = of(ours, field);
  const { bytes, text, failures = [] } = cell;
  return Object.entries(bounds).map(([peer, bound]) => {
    const theirs = of(peer, field);
    const figure = unit === undefined ? own / theirs : own;
    const ratio = Number.isFinite(figure) ? figure : undefined;
    const met = ratio === undefined ? undefined : least ? ratio >= bound : ratio <= bound;
    const refused = failures.find(({ name }) => name === ours || name === peer);
    const main = [ours, peer].map((name) => of(name, 'mainThread'));
    return { cell: cellName(cell), bytes, text, peer, bound, ratio, theirs, met, main, refused };
  });
}
