// What the benchmark says of its figures, that the documents say what the file of results says, and its commands.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { countCalls } from '../benchmark/costs/hot-path.mjs';
import { readOptions } from '../benchmark/options.mjs';
import { PEERS } from '../benchmark/peers/index.mjs';
import { invites, planOf } from '../benchmark/plan.mjs';
import { page } from '../benchmark/report/page.mjs';
import { BEGIN, END, readme } from '../benchmark/report/readme.mjs';
import { stale } from '../benchmark/report/render.mjs';
import { median, ratios, summarise } from '../benchmark/statistics.mjs';
import { judge } from '../benchmark/targets.mjs';
import { alive } from './support/processes.js';

const result = (name, opsPerSecond, rest = {}) => ({
  name,
  server: 'redis',
  ours: name.startsWith('cachalot'),
  opsPerSecond,
  mainThread: 1_000_000 / opsPerSecond,
  p50: 1_000 / opsPerSecond,
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

  test.each([true, false])('every row is seen in a run, quick: %s', (quick) => {
    const plan = planOf(quick);
    const seen = plan.cells.map((shape) =>
      cell(PEERS.filter((peer) => invites(shape, peer)).map(some), shape),
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
  expect(text).toContain('| ioredis | 3.00x');
  expect(text).not.toContain('old');
});

describe('what a batch costs beside time', () => {
  const results = JSON.parse(
    readFileSync(new URL('../docs/benchmarks/results.json', import.meta.url), 'utf8'),
  );
  const rendered = (hotPath) => page({ ...results, costs: { ...results.costs, hotPath } });
  const HEADING = '## What a batch of gets costs beside time';
  const batches = [
    { atOnce: 1, wakeUps: { main: 1.04, own: 2, others: 0 }, calls: { main: 4, own: 3, others: 0.5 } },
  ];

  test('calls in a trace: between the marks, by threads, each once', () => {
    const trace = `
10 futex(0x1, FUTEX_WAKE) = 1
10 access("/cachalot-begin-1", F_OK) = -1 ENOENT (No such file or directory)
10 sendto(20, "GET k", 5, 0, NULL, 0) = 5
11 epoll_wait(4,  <unfinished ...>
10 futex(0x2, FUTEX_WAIT <unfinished ...>
11 <... epoll_wait resumed>[], 1024, -1) = 1
11 recvfrom(20, "$1024", 65536, 0, NULL, NULL) = 1024
12 madvise(0x7f, 4096, MADV_DONTNEED) = 0
10 --- SIGCHLD {si_signo=SIGCHLD} ---
10 access("/cachalot-end-1", F_OK) = -1 ENOENT (No such file or directory)
10 close(3) = 0
10 access("/cachalot-begin-64", F_OK) = -1 ENOENT (No such file or directory)
11 write(7, "x", 1) = 1
13 +++ exited with 0 +++
10 access("/cachalot-end-64", F_OK) = -1 ENOENT (No such file or directory)`;
    expect(countCalls(trace, { 10: 'main', 11: 'own' }, 2)).toEqual({
      1: { main: 1, own: 1, others: 0.5 },
      64: { main: 0, own: 0.5, others: 0 },
    });
  });

  test('is a part of the page, in results that have it', () => {
    expect(rendered(undefined)).not.toContain(HEADING);
    const peers = [
      { name: 'cachalot redis', ours: true, batches },
      { name: 'ioredis', ours: false, reason: 'no answer' },
    ];
    const allocations = [{ atOnce: 1, allocations: 22.18, bytes: 3074.2 }];
    const text = rendered({ bytes: 1_024, peers, allocations });
    expect(text).toContain(HEADING);
    expect(text).toContain('| **cachalot redis** | 1 | 1.0 | 2.0 | 0.0 | 4.0 | 3.0 | 0.5 |');
    expect(text).toContain('| 1 | 22.2 | 3,074 |');
    expect(text).toContain('Not run: ioredis: no answer');
  });

  test('says what was not counted', () => {
    const [{ calls: _, ...untraced }] = batches;
    const peers = [
      { name: 'cachalot redis', ours: true, batches: [untraced], untraced: 'strace is not installed' },
    ];
    const text = rendered({ bytes: 1_024, peers, allocations: { reason: 'a quick run builds nothing' } });
    expect(text).toContain('| **cachalot redis** | 1 | 1.0 | 2.0 | 0.0 | – | – | – |');
    expect(text).toContain('System calls were not counted: strace is not installed.');
    expect(text).toContain('Allocations were not counted: a quick run builds nothing.');
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
  const NAMES_HELP = ' --help names all options.';

  test.each([
    ['run.mjs', ['--quick', '--only', '--rounds', '--publish', '--help']],
    ['native/run.mjs', ['--list', '--help']],
    ['native/instructions.mjs', ['--record', '--help']],
  ])('%s prints its options', (script, options) => {
    const { status, stdout, stderr } = said(script, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const option of options) expect(stdout).toMatch(new RegExp(`^  ${option}\\b`, 'm'));
    if (script === 'run.mjs') {
      const readme = readFileSync(path('benchmark/README.md'), 'utf8');
      for (const option of options) expect(readme).toContain(`\`${option}`);
    }
  });

  test.each([
    ['run.mjs', ['--quik'], "Unknown option '--quik'."],
    ['run.mjs', ['get'], "Unexpected argument 'get'."],
    ['run.mjs', ['--only', 'nothing'], '--only: "nothing" matches none of the '],
    ['native/run.mjs', ['--lst'], "Unknown option '--lst'."],
    ['native/instructions.mjs', ['--recor'], "Unknown option '--recor'."],
    ['native/instructions.mjs', ['get_200'], "Unexpected argument 'get_200'."],
  ])('%s %j: one line, code 2, and nothing is written', (script, words, begins) => {
    const results = path('tmp/benchmark.json');
    const before = existsSync(results) ? readFileSync(results, 'utf8') : undefined;
    const { status, stdout, stderr } = said(script, ...words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.startsWith(begins), stderr).toBe(true);
    expect(stderr.split('\n')).toEqual([expect.stringContaining(NAMES_HELP), '']);
    expect(existsSync(results) ? readFileSync(results, 'utf8') : undefined).toBe(before);
  });

  test('what a run is asked', () => {
    expect(readOptions([])).toEqual({ quick: false, publish: false });
    expect(readOptions(['--quick', '--only', 'GET 1 kb', '--rounds', '2'])).toEqual({
      quick: true,
      publish: false,
      only: /GET 1 kb/i,
      rounds: 2,
    });
    // Parts that are no cells, and a cell that only the full run has.
    for (const name of ['floors', 'costs', '50,000 entries'])
      expect(readOptions(['--only', name]).only).toBeDefined();
  });

  test.each([
    [['--rounds', 'x'], '--rounds: expected a whole number from 1 to 1000, got "x".'],
    [['--rounds', '0'], '--rounds: expected a whole number from 1 to 1000, got "0".'],
    [['--rounds', '1.5'], '--rounds: expected a whole number'],
    [['--rounds'], "'--rounds <value>'"],
    [['--quick=yes'], "'--quick'"],
    [['--only', '['], '--only: expected a regular expression: '],
    [['--quick', '--only', '50,000 entries'], '"get 1 KB, 1 at a time"'],
    [['--only', 'nothing'], '"floors", "costs"'],
    [['--publish', '--only', 'get'], '--publish: a run with --only or --rounds is not published'],
  ])('%j is refused', (argv, why) => {
    const { error } = readOptions(argv);
    expect(error).toContain(why);
    expect(error.endsWith(NAMES_HELP)).toBe(true);
    expect(error).not.toContain('\n');
  });

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

  test('what a command runs ends with the shell that npm runs it by', { timeout: 30_000 }, async () => {
    const inner = 'setInterval(() => {}, 1e6)';
    const code = `import(${JSON.stringify(path('benchmark/foreground.mjs'))}).then(({ must }) => must(process.execPath, ['-e', ${JSON.stringify(inner)}]))`;
    // Another command after it, so that the shell does not become the program.
    const shell = spawn('/bin/sh', ['-c', '"$0" -e "$1"; true', process.execPath, code], {
      stdio: 'ignore',
      env: { ...process.env, npm_lifecycle_event: 'bench' },
    });
    const below = () => childrenOf(shell.pid).flatMap((pid) => [pid, ...childrenOf(pid)]);
    let all = [];
    try {
      await expect.poll(() => below().length, { timeout: 15_000 }).toBe(2);
      all = below();
      shell.kill('SIGTERM');
      await expect.poll(() => all.filter(alive), { timeout: 10_000 }).toEqual([]);
    } finally {
      for (const pid of all.filter(alive)) process.kill(pid, 'SIGKILL');
    }
  });

  test('a signal reaches what a command runs', { timeout: 30_000 }, async () => {
    const foreground = path('benchmark/foreground.mjs');
    const inner = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6)";
    const code = `import(${JSON.stringify(foreground)}).then(({ must }) => must(process.execPath, ['-e', ${JSON.stringify(inner)}]))`;
    const outer = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
    try {
      await expect.poll(() => childrenOf(outer.pid).length, { timeout: 15_000 }).toBe(1);
      const children = childrenOf(outer.pid);
      const ended = once(outer, 'exit');
      outer.kill('SIGTERM');
      expect(await ended).toEqual([143, null]);
      await expect.poll(() => children.filter(alive), { timeout: 5_000 }).toEqual([]);
    } finally {
      outer.kill('SIGKILL');
    }
  });
});
