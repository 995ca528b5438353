// Which cells a run has. A cell is a workload, a size, a number of runs at a time, tags or none, and a kind of text.

const KB = 1_024;
const SERVERS = ['redis', 'memcached'];

const cells = (workload, { bytes, at, ...rest }) =>
  bytes.flatMap((bytes) =>
    at.map((concurrency) => {
      const shape = { workload, bytes, concurrency, tagged: false, text: 'ascii', servers: SERVERS };
      return { ...shape, ...rest };
    }),
  );

const clears = (...counts) =>
  counts.flatMap((entries) => cells('clear', { bytes: [200], at: [1], tagged: true, entries }));

/** Of a shop on Medusa (shop/). Its pages have tags and text in several alphabets; they are of no one size. */
const shop = (workload, ...kinds) =>
  kinds.map((kind) => ({
    ...{ workload, bytes: 0, concurrency: 8, tagged: true, text: 'utf16', servers: ['shop'] },
    ...kind,
  }));
const limits = (...sizes) => sizes.map((limit) => ({ limit }));
const tags = (...counts) => counts.map((tags) => ({ tags }));

const shopCells = ({ requests, parts, sizes, imports, expired }) => [
  ...shop('shopTraffic', { requests, rounds: parts }),
  ...shop('shopNew', ...limits(...sizes)),
  ...shop('shopCached', ...limits(...sizes)),
  ...shop('shopSet', ...tags(450, 1_500)),
  ...shop('shopCached', ...tags(450, 1_500)),
  ...shop('shopMemory', { entries: 100, tags: 450, entities: 1_000, rounds: 3 }),
  ...shop('shopEvent', ...imports.map((entries) => ({ entries, rounds: 3 }))),
  ...shop('shopExpired', { entries: expired, rounds: 3 }),
];

/** Every row of targets.mjs, and nothing that it does not need. */
const QUICK = {
  rounds: 3,
  sliceMs: 100,
  warmUpMs: 40,
  entries: 64,
  clearRounds: 5,
  costRounds: 1,
  startRounds: 3,
  /** A run that takes longer than this has something wrong with it and ends with an error. */
  limitMs: 5 * 60_000,
  cells: [
    ...shopCells({ requests: 500, parts: 3, sizes: [30], imports: [1, 12_500], expired: 5_000 }),
    ...cells('get', { bytes: [200], at: [64] }),
    ...cells('get', { bytes: [KB], at: [1, 64] }),
    ...cells('get', { bytes: [KB], at: [64], tagged: true, servers: ['redis'] }),
    ...cells('get', { bytes: [16 * KB], at: [1, 16, 64] }),
    ...cells('get', { bytes: [100 * KB], at: [16] }),
    ...cells('set', { bytes: [KB], at: [8, 64], tagged: true }),
    ...cells('set', { bytes: [16 * KB, 100 * KB], at: [16] }),
    ...cells('getMany', { bytes: [200], at: [1], servers: ['redis'] }),
    ...cells('allOf', { bytes: [200], at: [1], servers: ['redis'] }),
    ...cells('hits', { bytes: [200], at: [1], servers: ['process'] }),
    ...clears(10_000),
  ],
};

const FULL = {
  rounds: 3,
  // Long enough for some hundred operations of the slowest cell; short enough that all of it ends in some 20 minutes.
  sliceMs: 200,
  warmUpMs: 60,
  /** Entries of a data set: more than one working set of the CPU's caches at 100 KB, few enough to fill at once. */
  entries: 64,
  clearRounds: 5,
  costRounds: 3,
  startRounds: 9,
  limitMs: 40 * 60_000,
  cells: [
    ...shopCells({
      ...{ requests: 1_000, parts: 8, sizes: [12, 30, 60, 90, 300], imports: [1, 5_000, 12_500] },
      // As many as in medusajs/medusa#16474.
      expired: 170_000,
    }),
    ...cells('get', { bytes: [200, KB], at: [1, 16, 64, 256] }),
    ...cells('get', { bytes: [16 * KB], at: [1, 16, 64] }),
    ...cells('get', { bytes: [100 * KB], at: [1, 16] }),
    ...cells('get', { bytes: [KB, 16 * KB], at: [64], text: 'latin1' }),
    ...cells('get', { bytes: [KB, 16 * KB], at: [64], text: 'utf16' }),
    ...cells('get', { bytes: [KB], at: [1, 64], tagged: true }),
    ...cells('get', { bytes: [16 * KB], at: [16], tagged: true }),
    ...cells('misses', { bytes: [200], at: [1, 64] }),
    ...cells('set', { bytes: [200, KB], at: [1, 64] }),
    ...cells('set', { bytes: [16 * KB], at: [1, 16, 64] }),
    ...cells('set', { bytes: [100 * KB], at: [1, 16] }),
    ...cells('set', { bytes: [KB], at: [64], text: 'utf16' }),
    ...cells('set', { bytes: [KB], at: [1, 8, 64], tagged: true }),
    ...cells('set', { bytes: [16 * KB], at: [16], tagged: true }),
    ...cells('getMany', { bytes: [200, KB], at: [1], servers: ['redis'] }),
    ...cells('allOf', { bytes: [200, KB], at: [1] }),
    ...cells('hits', { bytes: [200, KB, 16 * KB], at: [1], servers: ['process'] }),
    ...clears(100, 10_000, 50_000),
  ],
};

export const planOf = (quick) => (quick ? QUICK : FULL);

/** Whether a cell is for this peer, as far as can be said before it is opened. */
export const invites = (shape, { server, tagged, fits }) =>
  shape.servers.includes(server) && (tagged || !shape.tagged) && (fits?.(shape) ?? true);
