// What the benchmark says of its figures, that the documents say what the file of results says, and its commands.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../benchmark/options.mjs';
import { PEERS } from '../benchmark/peers/index.mjs';
import { invites, planOf } from '../benchmark/plan.mjs';
import { page } from '../benchmark/report/page.mjs';
import { BEGIN, END, readme } from '../benchmark/report/readme.mjs';
import { stale } from '../benchmark/report/render.mjs';
import { shopEvent, shopExpired } from '../benchmark/shop/events.mjs';
import { shopNew } from '../benchmark/shop/listings.mjs';
import { SHOP_PEERS } from '../benchmark/shop/peers.mjs';
import { median, ratios, summarise } from '../benchmark/statistics.mjs';
import { judge } from '../benchmark/targets.mjs';
import { alive } from './support/processes.js';

const result = (name, opsPerSecond, rest = {}) => ({
  name,
  server: 'redis',
  ours: name.startsWith('cachalot'),
  opsPerSecond,
  mainThread: 1_000_000 / opsPerSecond,
  serverCpu: 1_000_000 / opsPerSecond,
  p50: 1_000 / opsPerSecond,
  p99: 1_000 / opsPerSecond,
  heap: 1,
  pause: 1,
  redisMemory: 1,
  ...rest,
});
const some = ({ name, server, ours = false, against }) => result(name, 100, { server, ours, against });
const cell = (results, rest = {}) => ({
  workload: 'get',
  bytes: 1_024,
  concurrency: 64,
  tagged: false,
  text: 'ascii',
  results,
  ...rest,
});

test('the page and the region of the README are what the results say', () => {
  expect(stale()).toEqual([]);
});

test('medians: of the rounds, field by field', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  const slice = (opsPerSecond) => ({ operations: 2, opsPerSecond, p50: 1 / opsPerSecond });
  expect(summarise([slice(10), slice(30), slice(20)])).toMatchObject({
    opsPerSecond: 20,
    slowest: 10,
    fastest: 30,
    p50: 1 / 20,
    operations: 6,
  });
});

test('what only some workloads give is summarised where it is given', () => {
  const slice = (heap, redisMemory) => ({
    operations: 1,
    opsPerSecond: 1,
    heap,
    stored: { redisMemory, keys: 10 * redisMemory },
  });
  const summary = summarise([slice(3, 1), slice(1, 2), slice(2, 3)]);
  expect(summary.heap).toBe(2);
  expect(summary.stored.map(({ keys }) => keys)).toEqual([10, 20, 30]);
  expect(summary).not.toHaveProperty('pause');
  expect(summarise([{ operations: 1, opsPerSecond: 1 }])).not.toHaveProperty('stored');
});

describe('ratios', () => {
  test('against those a peer names, on its server', () => {
    const found = ratios(
      cell([
        result('cachalot redis', 300),
        result('cachalot Cache redis', 200),
        result('cachalot memcached', 900, { server: 'memcached' }),
        result('ioredis', 100, { against: ['cachalot redis'] }),
      ]),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ ours: 'cachalot redis', peer: 'ioredis', throughput: 3 });
    expect(found[0].mainThread).toBeCloseTo(1 / 3);
  });

  test('where none of those takes part, against who does', () => {
    const found = ratios(
      cell([result('cachalot Cache redis', 200), result('ioredis', 100, { against: ['cachalot redis'] })]),
    );
    expect(found.map(({ ours }) => ours)).toEqual(['cachalot Cache redis']);
  });
});

describe('targets', () => {
  test('each says why it may fall short, and what would close it', () => {
    const unsaid = judge([]).filter(({ why, closes }) => !why?.endsWith('.') || !closes?.endsWith('.'));
    expect(unsaid).toEqual([]);
    // Figures come from the run alone.
    expect(judge([]).filter(({ why, closes }) => /\d+ (µs|ms|ns|times|KB)/.test(why + closes))).toEqual([]);
  });

  const judged = (figure, cells) => judge(cells).find((row) => row.figure.startsWith(figure));

  test('met, not met, and not run', () => {
    const at = (peerRate) =>
      judged('get 200 B and 1 KB, 64', [
        cell([result('cachalot redis', 300), result('ioredis', peerRate), result('caching-redis', 100)]),
      ]);
    expect(at(150).met).toBe(true);
    expect(at(151).met).toBe(false);
    expect(at(151).seen.find(({ peer }) => peer === 'node-redis').met).toBeUndefined();
    expect(judged('get 200 B and 1 KB, 64', []).met).toBeUndefined();
  });

  test('times are bounded from above', () => {
    const main = (own) =>
      judged('the same: main-thread', [
        cell([
          result('cachalot redis', 1, { mainThread: own }),
          result('caching-redis', 1, { mainThread: 10 }),
        ]),
      ]);
    expect(main(3.5).met).toBe(true);
    expect(main(3.6).met).toBe(false);
  });

  const shopCell = (shape, results, failures) =>
    cell(results, { bytes: 0, tagged: true, ...shape, ...(failures && { failures }) });

  test('what has a unit is bounded by itself, and the peer stands beside it', () => {
    const at = (p50) =>
      judged('shop: import of 12,500 ids, each named twice: time', [
        shopCell({ workload: 'shopEvent', entries: 12_500 }, [
          result('cachalot redis', 1, { p50 }),
          result('caching-redis', 1, { p50: 900 }),
        ]),
      ]);
    expect(at(30)).toMatchObject({ met: true, seen: [{ ratio: 30, theirs: 900 }] });
    expect(at(30.1).met).toBe(false);
  });

  test('one setting of ours against another', () => {
    const at = (opsPerSecond) =>
      judged('get 1 KB with 5 tags, 64 at a time, without RESP3', [
        cell(
          [result('cachalot Cache redis', 100), result('cachalot Cache redis, no tracking', opsPerSecond)],
          { tagged: true },
        ),
      ]);
    expect(at(91).met).toBe(true);
    expect(at(90).met).toBe(false);
  });

  test.each(['cachalot redis', 'caching-redis'])('a row says so where %s refused', (name) => {
    const reason = 'expected at most 128 tags, got 450';
    const other = ['cachalot redis', 'caching-redis'].find((one) => one !== name);
    const cells = [shopCell({ workload: 'shopSet', tags: 450 }, [result(other, 100)], [{ name, reason }])];
    const row = judged('shop: set of a listing of 70 KB with 450 tags: ops/s', cells);
    expect(row.met).toBeUndefined();
    const results = JSON.parse(
      readFileSync(new URL('../docs/benchmarks/results.json', import.meta.url), 'utf8'),
    );
    expect(page({ ...results, cells })).toContain(`| at least 10x | ${name}: ${reason} | not run |`);
    const text = readme(`${BEGIN}\n${END}`, { ...results, cells });
    expect(text).toContain(`| set of a listing, 70 KB, 450 tags | – | – | – | ${name}: ${reason} |`);
  });

  test.each([true, false])('every row is seen in a run, quick: %s', (quick) => {
    const plan = planOf(quick);
    const seen = plan.cells.map((shape) =>
      cell([...PEERS, ...SHOP_PEERS].filter((peer) => invites(shape, peer)).map(some), shape),
    );
    for (const { figure, seen: checks } of judge(seen)) {
      expect(checks.length, figure).toBeGreaterThan(0);
      for (const { met, peer, cell: name } of checks) expect(met, `${peer} in ${name}`).toBeDefined();
    }
  });
});

test('a README without the marks is an error, and what is outside them stays', () => {
  const results = {
    date: '2030-01-01T00:00:00.000Z',
    quick: false,
    machine: { cores: 2, loadBefore: 0.1 },
    cells: [cell([result('cachalot redis', 300), result('ioredis', 100)])],
  };
  expect(() => readme('# Title', results)).toThrow('expected');
  const text = readme(`before\n${BEGIN}\nold\n${END}\nafter\n`, results);
  expect(text.startsWith('before\n') && text.endsWith('after\n')).toBe(true);
  expect(text).toContain('| get 1 KB, 64 at a time | ioredis | 3.00x |');
  expect(text).not.toContain('old');
});

describe('a shop', () => {
  /** A cache as Medusa's providers are, with what a contestant of the shop has beside it. */
  function contestant({ get = (value) => value, clears = true } = {}) {
    const entries = new Map();
    const sets = [];
    const cleared = [];
    const client = {
      get: async (key) => get(entries.get(key)?.data ?? null),
      provider: {
        async set({ key, ...entry }) {
          sets.push(entry);
          entries.set(key, entry);
        },
        async clear({ tags, options }) {
          cleared.push({ tags, options });
          const named = new Set(tags);
          for (const [key, entry] of clears ? entries : [])
            if (entry.tags.some((tag) => named.has(tag))) entries.delete(key);
        },
      },
      empty: async () => entries.clear(),
      pings: async () => async () => [
        { sent: 0, took: 9_000 },
        { sent: performance.timeOrigin + performance.now() - 2_000, took: 5_000 },
      ],
    };
    return { name: 'one', client, sets, cleared };
  }
  const once = async (one, workload, shape) =>
    workload.once(one, { ...(await workload.prepare(one, shape)), entries: shape.entries });

  test("an import names every id twice, in Medusa's form, and the figures are of the clear alone", async () => {
    const one = contestant();
    const figures = await once(one, shopEvent, { entries: 1_500 });
    expect(one.cleared).toHaveLength(1);
    const [{ tags, options }] = one.cleared;
    expect(options).toEqual({ autoInvalidate: true });
    expect(tags.filter((tag) => tag === 'Product:list:*')).toHaveLength(3_000);
    expect(new Set(tags).size).toBe(1_501);
    expect(tags).toHaveLength(6_000);
    // One of the pings was answered before.
    expect(figures).toMatchObject({ operations: 1, pause: 5_000 });
    expect(figures.heap).toBeGreaterThanOrEqual(0);
    expect(one.sets.every(({ ttl, options }) => ttl === 3_600 && 'autoInvalidate' in options)).toBe(true);
  });

  test.each([
    ['an import', shopEvent, { entries: 10 }],
    ['an event after all have expired', shopExpired, { entries: 10 }],
  ])('%s: what is still there afterwards is a failure', async (_, workload, shape) => {
    await once(contestant(), workload, shape);
    await expect(once(contestant({ clears: false }), workload, shape)).rejects.toThrow('one still holds ');
  });

  test('a new listing: nothing may be there before, and afterwards what was stored', async () => {
    const one = contestant();
    const data = await shopNew.prepare(one, { limit: 12 });
    shopNew.check(await shopNew.run(one.client, data, 0), data, 0, one.name);
    await shopNew.verify(one.client, data, [], one.name);
    expect(() => shopNew.check({}, data, 0, one.name)).toThrow('one invents a page.');
    await expect(shopNew.verify(contestant().client, data, [], 'one')).rejects.toThrow('one does not hold ');
  });
});

describe('commands', () => {
  const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const said = (script, ...words) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [path(`benchmark/${script}`), ...words], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  test('prints its options, and its README has them', () => {
    const { status, stdout, stderr } = said('run.mjs', '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const readme = readFileSync(path('benchmark/README.md'), 'utf8');
    for (const option of ['--quick', '--only', '--publish', '--help']) {
      expect(stdout).toMatch(new RegExp(`^  ${option}\\b`, 'm'));
      expect(readme).toContain(`\`${option}`);
    }
  });

  test.each([
    [['--quik'], "Unknown option '--quik'"],
    [['get'], "Unexpected argument 'get'"],
    [['--only', 'nothing'], '--only: "nothing" matches none of: '],
  ])('%j: code 2, and nothing is written', (words, begins) => {
    const results = path('tmp/benchmark.json');
    const before = existsSync(results) ? readFileSync(results, 'utf8') : undefined;
    const { status, stdout, stderr } = said('run.mjs', ...words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.startsWith(begins), stderr).toBe(true);
    expect(stderr).toContain('--help names all options.');
    expect(existsSync(results) ? readFileSync(results, 'utf8') : undefined).toBe(before);
  });

  test('what a run is asked', () => {
    expect(readOptions([])).toEqual({ quick: false, publish: false, help: false });
    const asked = readOptions(['--quick', '--only', 'GET 1 kb']);
    expect(asked).toEqual({ quick: true, publish: false, help: false, only: /GET 1 kb/i });
    // Parts that are no cells, and a cell that only the full run has.
    for (const name of ['floors', 'costs', '50,000 entries'])
      expect(readOptions(['--only', name]).only).toBeDefined();
  });

  test.each([
    [['--only', '['], 'Invalid regular expression'],
    [['--quick', '--only', '50,000 entries'], '; floors; costs.'],
    [['--publish', '--only', 'get'], '--publish: a part of a run is not published'],
  ])('%j is refused', (argv, why) => expect(() => readOptions(argv)).toThrow(why));

  /** Processes that this one has started. */
  function childrenOf(pid) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    const rows = stdout
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/\s+/).map(Number));
    return rows.filter(([, parent]) => parent === pid).map(([child]) => child);
  }

  test.each(['SIGINT', 'SIGTERM'])('%s ends a run and its servers', { timeout: 30_000 }, async (signal) => {
    // As run.mjs starts it, which would install the peers first; those that are not there take no part.
    const run = spawn(process.execPath, ['--expose-gc', path('benchmark/bench.mjs'), '--only', 'get 1 KB'], {
      stdio: 'ignore',
    });
    try {
      await expect.poll(() => childrenOf(run.pid).length, { timeout: 15_000 }).toBe(2);
      const servers = childrenOf(run.pid);
      const ended = once(run, 'exit');
      run.kill(signal);
      expect(await ended).toEqual([signal === 'SIGINT' ? 130 : 143, null]);
      await expect.poll(() => servers.filter(alive), { timeout: 5_000 }).toEqual([]);
    } finally {
      run.kill('SIGKILL');
    }
  });

  test('a run ends with the shell that npm runs it by', { timeout: 30_000 }, async () => {
    const signals = JSON.stringify(path('benchmark/signals.mjs'));
    const code = `import(${signals}); setInterval(() => {}, 1e6)`;
    // Another command after it, so that the shell does not become the program.
    const shell = spawn('/bin/sh', ['-c', '"$0" -e "$1"; true', process.execPath, code], {
      stdio: 'ignore',
      env: { ...process.env, npm_lifecycle_event: 'bench' },
    });
    let all = [];
    try {
      await expect.poll(() => childrenOf(shell.pid).length, { timeout: 15_000 }).toBe(1);
      all = childrenOf(shell.pid);
      // It has told what it listens to.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      shell.kill('SIGTERM');
      await expect.poll(() => all.filter(alive), { timeout: 10_000 }).toEqual([]);
    } finally {
      for (const pid of all.filter(alive)) process.kill(pid, 'SIGKILL');
    }
  });
});
