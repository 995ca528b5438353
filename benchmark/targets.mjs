// What the benchmark must show, as data. A row is met if every peer of it is within its bound.
//
//   figure  what it says
//   cells   which cells it is seen in: all that have these fields
//   ours    who of ours it is about
//   metric  `ops`: ours / peer, at least; `main`: main-thread µs of ours / peer, at most; `p50`: likewise of the median
//   bounds  [peer, bound]
//   short   why it may fall short, and what would close it: said where it does

import { cellName, ratios } from './statistics.mjs';

const KB = 1_024;
const plain = { tagged: false, text: 'ascii' };
const small = [
  { workload: 'get', bytes: 200, concurrency: 64, ...plain },
  { workload: 'get', bytes: KB, concurrency: 64, ...plain },
];
const PROVIDER = 'cachalot redis';

export const TARGETS = [
  {
    figure: 'get 200 B and 1 KB, 64 at a time: ops/s',
    cells: small,
    ours: PROVIDER,
    metric: 'ops',
    bounds: [
      ['caching-redis', 2.5],
      ['ioredis', 2],
      ['node-redis', 3],
      ['valkey-glide', 2],
    ],
    short:
      'The main thread is the limit of both: JSON.parse of the value is the same work for everyone. Sharing the parsed value (`l1: { share: true }`) would close it.',
  },
  {
    figure: 'the same: main-thread µs an operation',
    cells: small,
    ours: PROVIDER,
    metric: 'main',
    bounds: [['caching-redis', 0.35]],
    short:
      'JSON.parse of the value is in both figures, and at 1 KB most of ours: without it the bound would be met. Only handing out a shared object (`l1: { share: true }`) parses less.',
  },
  {
    figure: 'get 1 KB, 1 at a time: p50',
    cells: [{ workload: 'get', bytes: KB, concurrency: 1, ...plain }],
    ours: PROVIDER,
    metric: 'p50',
    bounds: [['ioredis', 1.3]],
    short:
      'Where the JavaScript thread reads the reply itself (Node.js on Linux), what is left is the turn of a batch through the core; elsewhere a reply wakes two threads, and a client in JavaScript one (docs/decisions/0013).',
  },
  {
    figure: 'get 16 KB, compressed, 1 at a time: ops/s',
    cells: [{ workload: 'get', bytes: 16 * KB, concurrency: 1, ...plain }],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['caching-redis', 1.8]],
    short: 'Decompression runs before JSON.parse, and one get at a time leaves nothing to overlap them with.',
  },
  {
    figure: 'get 16 KB, compressed, 16 at a time: ops/s',
    cells: [{ workload: 'get', bytes: 16 * KB, concurrency: 16, ...plain }],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['caching-redis', 1.4]],
    short: 'JSON.parse of 16 KB is most of the main thread in both; gzip runs on four threads beside it.',
  },
  {
    figure: 'set 1 KB with 5 tags, 64 at a time: ops/s',
    cells: [{ workload: 'set', bytes: KB, concurrency: 64, tagged: true, text: 'ascii' }],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['caching-redis', 3]],
    short:
      'The server is the limit: a sorted set for each tag. Writing indexes behind the answer would close it, at the price of entries that no index knows after a crash.',
  },
  {
    figure: 'set 16 KB and 100 KB: ops/s',
    cells: [
      { workload: 'set', bytes: 16 * KB, ...plain },
      { workload: 'set', bytes: 100 * KB, ...plain },
    ],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['caching-redis', 3]],
    short:
      'JSON.stringify is the same work for both and most of our main thread; caching-redis compresses on four threads at once, we on one. A second thread for compression would close it where cores are free.',
  },
  {
    figure: 'Promise.all of 100 gets, 200 B: ops/s',
    cells: [{ workload: 'allOf', bytes: 200, ...plain }],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [
      ['caching-redis', 3],
      ['ioredis auto-pipelining', 2],
    ],
    short: 'JSON.parse and the promises of 100 gets are the same work for all.',
  },
  {
    figure: 'getMany(100), 200 B, against MGET and parse: ops/s',
    cells: [{ workload: 'getMany', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis',
    metric: 'ops',
    bounds: [['ioredis', 1]],
    short:
      'The core copies and checks each value (checksum, epoch, tags) on a second thread before JavaScript parses it; plain MGET checks nothing. One JSON text for all values would close it, and is not safe with stored text that is no JSON.',
  },
  {
    figure: 'Memcached: get 200 B, 64 at a time: ops/s',
    cells: [small[0]],
    ours: 'cachalot memcached',
    metric: 'ops',
    bounds: [
      ['memjs', 2],
      ['memcache', 2],
    ],
    short:
      'The epoch and the record of `*` are read with every chunk of gets: 18 commands where the peer sends 16. Keeping them for some milliseconds would close it, and serve what was cleared meanwhile.',
  },
  {
    figure: 'Memcached: set 16 KB: ops/s',
    cells: [{ workload: 'set', bytes: 16 * KB, ...plain }],
    ours: 'cachalot memcached',
    metric: 'ops',
    bounds: [
      ['memjs', 1],
      ['memcache', 1],
    ],
    short:
      "We compress (zstd, 40 µs), the peers send five times the bytes; on one machine bytes cost next to nothing. `compression: { algorithm: 'lz4' }` or a higher threshold closes it there.",
  },
  {
    figure: 'clear of a tag with 10,000 entries: how many times as fast',
    cells: [{ workload: 'clear', entries: 10_000 }],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['caching-redis', 100]],
    short:
      'Ours is one script of some 50 µs and a round trip, theirs grows with the entries: what is seen is the pause of the machine beside it. At 50,000 entries the ratio is larger.',
  },
  {
    figure: 'hit in process (L1), 200 B: ops/s',
    cells: [{ workload: 'hits', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis + l1',
    metric: 'ops',
    bounds: [['bentocache memory + redis', 3]],
    short: 'JSON.parse of the value is the same work for both.',
  },
  {
    figure: 'the same, against a string of lru-cache, parsed: time an operation',
    cells: [{ workload: 'hits', bytes: 200, ...plain }],
    ours: 'cachalot Cache redis + l1',
    metric: 'main',
    bounds: [['lru-cache + JSON.parse', 1.3]],
    short:
      'Checking the counters of key and tags, and two clocks, costs some 100 ns beside a lookup and JSON.parse.',
  },
  {
    figure: 'get 200 B and 1 KB, 64 at a time, against a pure-JS client that joins a turn: ops/s',
    cells: small,
    ours: PROVIDER,
    metric: 'ops',
    bounds: [['pure-JS control', 0.9]],
    short:
      'The control checks nothing: no epoch, checksum or tags. On two cores the second thread that checks takes time from the server.',
  },
  {
    figure: 'get 16 KB and 100 KB, against the same, plain and with gzip: ops/s',
    cells: [
      { workload: 'get', bytes: 16 * KB, ...plain },
      { workload: 'get', bytes: 100 * KB, ...plain },
    ],
    ours: PROVIDER,
    metric: 'ops',
    bounds: [
      ['pure-JS control', 1],
      ['pure-JS control + gzip', 1],
    ],
    short:
      'Against the plain control we decompress 16 KB (14 µs) that it need not; on one machine the bytes that this saves cost next to nothing. Over a network it is ahead; `compression: { threshold }` moves the line.',
  },
];

const FIELD = { ops: 'throughput', main: 'mainThread', p50: 'p50' };

const fits = (cell, wanted) => Object.entries(wanted).every(([field, value]) => cell[field] === value);

/** `[{ figure, short, metric, seen: [{ cell, peer, bound, ratio, met }], met }]`; `met` is undefined where nothing was seen. */
export function judge(cells) {
  return TARGETS.map(({ figure, cells: wanted, ours, metric, bounds, short }) => {
    const seen = wanted.flatMap((pattern) =>
      cells
        .filter((cell) => fits(cell, pattern))
        .flatMap((cell) => {
          const own = ratios({ ...cell, results: cell.results.map(({ against, ...result }) => result) });
          return bounds.map(([peer, bound]) => {
            const ratio = own.find((pair) => pair.ours === ours && pair.peer === peer)?.[FIELD[metric]];
            const met = ratio === undefined ? undefined : metric === 'ops' ? ratio >= bound : ratio <= bound;
            return { cell: cellName(cell), peer, bound, ratio, met };
          });
        }),
    );
    const known = seen.filter(({ met }) => met !== undefined);
    return {
      figure,
      short,
      ours,
      metric,
      seen,
      met: known.length === 0 ? undefined : known.every(({ met }) => met),
    };
  });
}
