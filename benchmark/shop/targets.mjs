// What the shop must show, as data; ../targets.mjs says what a row consists of.

const THEIRS = 'caching-redis';

const WORDS = { ops: 'ops/s', main: 'main-thread µs an operation', server: "the server's µs an operation" };

/** A row for each metric, against caching-redis. */
const rows = ({ figure, bounds, ...row }) =>
  Object.entries(bounds).map(([metric, bound]) => ({
    ...row,
    figure: `${figure}: ${WORDS[metric]}`,
    metric,
    bounds: { [THEIRS]: bound },
  }));

const ofSet = {
  why: 'JSON.stringify of the page is the same work for both, and so is sending it; ours hashes each tag, and compresses beside that.',
  closes: 'Fewer bytes a tag, or more cores.',
};

export const SHOP_TARGETS = [
  ...rows({
    figure: 'shop: set of a listing of 70 KB with 450 tags',
    cells: [{ workload: 'shopSet', tags: 450 }],
    bounds: { ops: 10, main: 0.1, server: 0.3 },
    ...ofSet,
  }),
  ...rows({
    figure: 'shop: set of a listing of 70 KB with 1,500 tags',
    cells: [{ workload: 'shopSet', tags: 1_500 }],
    bounds: { ops: 20, main: 0.08, server: 0.25 },
    ...ofSet,
  }),
  ...rows({
    figure: 'shop: get of such listings',
    cells: [
      { workload: 'shopCached', tags: 450 },
      { workload: 'shopCached', tags: 1_500 },
    ],
    bounds: { ops: 2, main: 0.6 },
    why: 'JSON.parse of the page is most of the main thread in both, and ours compares each tag with what was cleared; gunzip runs on several threads beside it.',
    closes: 'Handing out one parsed value (`l1: { share: true }`).',
  }),
  ...rows({
    figure: 'set 1 KB with 5 tags, 8 and 64 at a time',
    cells: [8, 64].map((concurrency) => ({
      ...{ workload: 'set', bytes: 1_024, concurrency, tagged: true, text: 'ascii' },
    })),
    bounds: { ops: 8, main: 0.12, server: 0.35 },
    why: 'JSON.stringify, a promise and the round trip remain, and on the server the storing itself.',
    closes: 'More sets in one request, where more are made in one turn.',
  }),
  {
    figure: 'shop: MB of Redis that 100 listings of 450 tags over 1,000 entities take',
    cells: [{ workload: 'shopMemory', entries: 100, tags: 450 }],
    metric: 'redis',
    bounds: { [THEIRS]: 1.5 },
    why: 'The compressed pages are most of it; each carries a hash for each of its tags.',
    closes: 'A higher compression level (`compression: { level }`), at the price of time.',
  },
  {
    figure: 'shop: import of 12,500 ids, each named twice: time',
    cells: [{ workload: 'shopEvent', entries: 12_500 }],
    metric: 'ms',
    bounds: { [THEIRS]: 30 },
    why: 'Each tag is hashed, sent and written to the log of clears once.',
    closes: 'Making the tags unique before they are handed to the core.',
  },
  {
    figure: 'shop: import of 12,500 ids, each named twice: longest pause of the server',
    cells: [{ workload: 'shopEvent', entries: 12_500 }],
    metric: 'pause',
    bounds: { [THEIRS]: 5 },
    why: 'A script runs to its end before the server answers anybody else.',
    closes: 'Smaller parts of a clear.',
  },
  ...[
    ['shop: event after the listings have expired: time', 'ms', 5],
    ['shop: event after the listings have expired: heap', 'heap', 1],
  ].map(([figure, metric, bound]) => ({
    figure,
    cells: [{ workload: 'shopExpired' }],
    metric,
    bounds: { [THEIRS]: bound },
    why: 'A clear asks nobody which entries there are, so what is seen is the pause of the machine beside it.',
    closes: 'A machine that does nothing else.',
  })),
];
