// The run: cells, in each cell rounds, in each round every contestant once, the order turning by one a round, so that a
// slow moment of the machine falls on all alike. Then what clients cost beside time.

import os from 'node:os';
import { serverVersion, startMemcached, startRedis } from '../test-packages/servers.mjs';
import { costs } from './costs/index.mjs';
import { jsonFloor, redisLimit } from './floors.mjs';
import { threadClock } from './measure.mjs';
import { readOptions } from './options.mjs';
import { openAll, PEERS, versionOf } from './peers/index.mjs';
import { invites, planOf } from './plan.mjs';
import { costSections, floorSections } from './report/costs.mjs';
import { commit, write } from './report/files.mjs';
import { say } from './report/format.mjs';
import { cellFigures, ratioTables, targets, verdict } from './report/page.mjs';
import { measureCell } from './rounds.mjs';
import { SHOP_PEERS } from './shop/peers.mjs';
import './signals.mjs';
import { cellName } from './statistics.mjs';
import { WORKLOADS } from './workloads/index.mjs';

// Checked by run.mjs.
const { quick, only, publish } = readOptions(process.argv.slice(2));
const plan = planOf(quick);

setTimeout(() => {
  console.error(`The run took longer than ${plan.limitMs / 60_000} minutes and was ended.`);
  process.exit(1);
}, plan.limitMs).unref();

/** What a quick run is meant to stay under. */
const QUICK_SECONDS = 180;

/** Runnable processes per minute before the run: above the number of cores, others took part of the machine. */
const loadBefore = os.loadavg()[0];
const redis = await startRedis();
const memcached = await startMemcached();
try {
  const began = Date.now();
  const ports = { redisPort: redis.port, memcachedPort: memcached.port };
  const pids = { redis: redis.pid, memcached: memcached.pid };
  const chosen = plan.cells.filter((shape) => only?.test(cellName(shape)) ?? true);
  const wanted = chosen.some(({ servers }) => servers.includes('shop')) ? [...PEERS, ...SHOP_PEERS] : PEERS;
  const { open, notRun } = await openAll(ports, wanted);
  for (const { name, reason } of notRun) console.log(`Not run: ${name}: ${reason}`);
  const filled = new Map();
  const cells = [];
  for (const shape of chosen) {
    const taking = open.filter((contestant) => takesPart(contestant, shape));
    const { results, failures } = await measureCell(taking, shape, { plan, pids, filled });
    const { servers, ...cell } = { ...shape, results };
    if (failures.length > 0) cell.failures = failures;
    notRun.push(...failures.map(({ name, reason }) => ({ name, reason: `${cellName(shape)}: ${reason}` })));
    cells.push(cell);
    say(cellFigures(cell));
  }
  const results = { ...about(open), notRun, plan: { ...plan, cells: undefined }, cells };
  if (only === undefined || only.test('floors')) {
    results.floors = floors(ports.redisPort);
    say(floorSections(results));
  }
  await Promise.all(open.map(({ client }) => client.close()));
  if (only === undefined || only.test('costs')) {
    results.costs = await costs(ports, plan);
    say(costSections(results));
  }
  results.seconds = Math.round((Date.now() - began) / 1_000);
  const judged = targets(results).filter((line) => !line.endsWith('| not run |'));
  say([...ratioTables(results), '', ...judged, '', ...verdict(results)]);
  console.log(`${cells.length} cells in ${results.seconds} s`);
  if (quick && results.seconds > QUICK_SECONDS) {
    console.log(`It took ${results.seconds} s and not under ${QUICK_SECONDS}: the machine is busy, or slow.`);
  }
  write(results, { publish: only === undefined && (!quick || publish) });
} catch (error) {
  // Ended here: the clients would go on to say that their servers are gone.
  console.error(error);
  process.exit(1);
} finally {
  await Promise.all([redis.stop(), memcached.stop()]);
}

function takesPart(contestant, shape) {
  const { needs } = WORKLOADS[shape.workload];
  return (
    invites(shape, contestant) && (needs === undefined || typeof contestant.client[needs] === 'function')
  );
}

function floors(port) {
  // Pages of the shop have no size that is set beforehand.
  const sized = plan.cells.filter(({ bytes }) => bytes > 0);
  const kinds = new Map(sized.map(({ bytes, text }) => [`${bytes}:${text}`, { bytes, text }]));
  return {
    json: jsonFloor([...kinds.values()], plan.entries),
    redis: redisLimit(port, { bytes: quick ? [1_024] : [200, 1_024, 16_384] }),
  };
}

function about(open) {
  const cpus = os.cpus();
  const packages = new Set(open.flatMap((peer) => [peer.package, ...(peer.with ?? [])]));
  packages.delete(null);
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
      commit: commit(),
      redis: serverVersion('redis-server'),
      memcached: serverVersion('memcached'),
      packages: Object.fromEntries([...packages].map((name) => [name, versionOf(name)])),
    },
    threadClock: threadClock.name,
  };
}
