// Which cells a run has. A cell is a workload, a size, a number of runs at a time, tags or none, and a kind of text.

const KB = 1_024;
const SERVERS = ['redis', 'memcached'];

const cells = (workload, { bytes, at, servers = SERVERS, ...rest }) =>
  bytes.flatMap((size) =>
    at.map((concurrency) => ({
      workload,
      bytes: size,
      concurrency,
      tagged: false,
      text: 'ascii',
      servers,
      ...rest,
    })),
  );

const clears = (...counts) =>
  counts.map((entries) => ({
    workload: 'clear',
    bytes: 200,
    concurrency: 1,
    tagged: true,
    text: 'ascii',
    servers: SERVERS,
    entries,
  }));

/** Every row of targets.mjs, and nothing that it does not need. */
const QUICK = {
  rounds: 3,
  sliceMs: 100,
  warmUpMs: 40,
  entries: 64,
  clearRounds: 5,
  costRounds: 1,
  startRounds: 3,
  /** `compiles`: a program of the core's may be built for it, which takes a minute or two. */
  hotPath: { names: ['cachalot redis', 'ioredis'], compiles: false },
  /** A run that takes longer than this has something wrong with it and ends with an error. */
  limitMs: 5 * 60_000,
  cells: [
    ...cells('get', { bytes: [200], at: [64] }),
    ...cells('get', { bytes: [KB], at: [1, 64] }),
    ...cells('get', { bytes: [16 * KB], at: [1, 16, 64] }),
    ...cells('get', { bytes: [100 * KB], at: [16] }),
    ...cells('set', { bytes: [KB], at: [64], tagged: true }),
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
  hotPath: {
    names: ['cachalot redis', 'cachalot memcached', 'ioredis', 'node-redis', 'valkey-glide'],
    compiles: true,
  },
  limitMs: 40 * 60_000,
  cells: [
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
    ...cells('set', { bytes: [KB], at: [1, 64], tagged: true }),
    ...cells('set', { bytes: [16 * KB], at: [16], tagged: true }),
    ...cells('getMany', { bytes: [200, KB], at: [1], servers: ['redis'] }),
    ...cells('allOf', { bytes: [200, KB], at: [1] }),
    ...cells('hits', { bytes: [200, KB, 16 * KB], at: [1], servers: ['process'] }),
    ...clears(100, 10_000, 50_000),
  ],
};

export const planOf = (quick) => (quick ? QUICK : FULL);

/** Whether a cell is for this peer, as far as can be said before it is opened. */
export const invites = (shape, { server, tagged, minBytes = 0 }) =>
  shape.servers.includes(server) && (tagged || !shape.tagged) && shape.bytes >= minBytes;
