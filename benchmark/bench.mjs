// The run: cells (operation, size, concurrency, tags), in each cell rounds, in each round every contestant once, the
// order turning by one a round, so that a slow moment of the machine falls on all alike.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { serverVersion, startMemcached, startRedis } from '../test-packages/servers.mjs';
import { contestants, packageVersions } from './contestants.mjs';
import { fill, slice, threadClock } from './measure.mjs';
import { product, tagsOf } from './payloads.mjs';
import { document } from './render.mjs';
import { cellName, expectations, summarise } from './statistics.mjs';
import { printCell, printSummary } from './terminal.mjs';

const quick = process.argv.includes('--quick');
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length);
const plan = {
  sizes: [200, 1_024, 16_384, 102_400],
  concurrencies: quick ? [1, 64] : [1, 16, 64],
  rounds: quick ? 3 : 5,
  // Long enough for some hundred operations of the slowest cell; short enough that all of it ends in ten minutes.
  sliceMs: quick ? 120 : 400,
  warmUpMs: quick ? 40 : 80,
  /** Entries of a data set: more than one working set of the CPU's caches at 100 KB, few enough to fill at once. */
  entries: 64,
};
/** A run that takes longer than this has something wrong with it and ends with an error. */
const RUN_LIMIT_MS = (quick ? 4 : 15) * 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const limit = setTimeout(() => {
  console.error(`The run took longer than ${RUN_LIMIT_MS / 60_000} minutes and was ended.`);
  process.exit(1);
}, RUN_LIMIT_MS);
limit.unref();

const redis = await startRedis();
const memcached = await startMemcached();
/** Runnable processes per minute before the run: above the number of cores, others took part of the machine. */
const loadBefore = os.loadavg()[0];
try {
  const began = Date.now();
  const everyone = await contestants({ redisPort: redis.port, memcachedPort: memcached.port });
  const cells = [];
  for (const bytes of plan.sizes) {
    for (const tagged of [false, true]) {
      const data = dataSet(bytes, tagged);
      const taking = everyone.filter((contestant) => contestant.tagged || !tagged);
      for (const contestant of taking) await fill(contestant, data);
      for (const operation of ['get', 'set']) {
        for (const concurrency of plan.concurrencies) {
          const shape = { operation, bytes, concurrency, tagged };
          if (only !== undefined && !cellName(shape).includes(only)) continue;
          const cell = { ...shape, results: await measure(taking, shape, data) };
          cells.push(cell);
          printCell(cell);
        }
      }
    }
  }
  await Promise.all(everyone.map((contestant) => contestant.close()));
  const results = { ...about(), plan, seconds: Math.round((Date.now() - began) / 1_000), cells };
  printSummary(results, expectations(cells));
  write(results);
} finally {
  await Promise.all([redis.stop(), memcached.stop()]);
}

async function measure(taking, { operation, concurrency }, data) {
  const slices = taking.map(() => []);
  for (const contestant of taking) await slice(contestant, operation, data, concurrency, plan.warmUpMs);
  for (let round = 0; round < plan.rounds; round++) {
    for (let turn = 0; turn < taking.length; turn++) {
      const who = (turn + round) % taking.length;
      slices[who].push(await slice(taking[who], operation, data, concurrency, plan.sliceMs));
    }
  }
  return taking.map(({ name, server }, who) => ({ name, server, ...summarise(slices[who]) }));
}

function dataSet(bytes, tagged) {
  const seeds = Array.from({ length: plan.entries }, (_, index) => bytes + index);
  const values = seeds.map((seed) => product(bytes, seed));
  return {
    keys: seeds.map((seed) => `products:${bytes}${tagged ? ':tagged' : ''}:${seed}`),
    values,
    tags: tagged ? values.map((value, index) => tagsOf(value, seeds[index])) : null,
  };
}

function about() {
  const cpus = os.cpus();
  return {
    date: new Date().toISOString(),
    quick,
    machine: {
      cpu: cpus[0]?.model.trim() ?? 'unknown',
      cores: cpus.length,
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      system: `${os.type()} ${os.arch()}`,
      loadBefore,
    },
    versions: {
      node: process.version,
      ...packageVersions(),
      commit: commit(),
      redis: serverVersion('redis-server'),
      memcached: serverVersion('memcached'),
    },
    threadClock: threadClock.name,
  };
}

/** The commit measured; a packed copy of the project has none. */
function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return 'unknown';
  }
}

function write(results) {
  const partial = quick || only !== undefined;
  const file = partial ? `${root}tmp/benchmark-quick.json` : `${root}docs/benchmarks/results.json`;
  mkdirSync(fileURLToPath(new URL('.', `file://${file}`)), { recursive: true });
  const text = `${JSON.stringify(results, rounded, 1)}\n`;
  writeFileSync(file, text);
  // From the text, so that the page says what the file says, to the last digit.
  if (!partial) writeFileSync(`${root}docs/benchmarks.md`, document(JSON.parse(text)));
  console.log(partial ? `Written: ${file}` : `Written: ${file} and docs/benchmarks.md`);
}

/** Four significant digits: more would only be noise in the file's history. */
function rounded(_, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
