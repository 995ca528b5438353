// What the closing line of `npm test` is made of, and how it deals with programs.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readOptions } from '../examples/demo/options.mjs';
import { count } from '../scripts/counts.mjs';
import { run, stopAll } from '../scripts/run.mjs';
import { alive } from './support/processes.js';

describe('counts', () => {
  const counted = (...lines) => {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const slow = new Set();
    for (const line of lines) count(line, counts, slow);
    return { ...counts, slow: [...slow] };
  };

  test('of cargo: all binaries, failures and ignored ones', () => {
    const rest = '0 measured; 0 filtered out; finished in 0.10s';
    expect(
      counted(
        `test result: ok. 12 passed; 0 failed; 1 ignored; ${rest}`,
        'test something ... ok',
        `test result: FAILED. 3 passed; 2 failed; 0 ignored; ${rest}`,
      ),
    ).toEqual({ passed: 15, failed: 2, skipped: 1, slow: [] });
  });

  test('of cargo: which tests take long and did not end', () => {
    const { slow } = counted(
      'test races::one has been running for over 60 seconds',
      'test races::other has been running for over 60 seconds',
      'test races::one ... ok',
    );
    expect(slow).toEqual(['races::other']);
  });

  test("of Node's test runner, in both forms", () => {
    const lines = [
      '# pass 3',
      '# fail 1',
      '# skipped 0',
      'ℹ pass 2',
      'ℹ cancelled 1',
      'ℹ todo 1',
      'ℹ tests 7',
    ];
    expect(counted(...lines)).toEqual({ passed: 5, failed: 2, skipped: 1, slow: [] });
  });

  test('of vitest: tests, not files', () => {
    const lines = [
      ' Test Files  1 failed | 40 passed (41)',
      '      Tests  1 failed | 20 passed | 3 skipped (24)',
    ];
    expect(counted(...lines)).toEqual({ passed: 20, failed: 1, skipped: 3, slow: [] });
  });
});

describe('run', () => {
  const cleanup = [];
  afterEach(async () => {
    for (const undo of cleanup.splice(0)) await undo();
  });

  test('reads every line of both outputs, the last one without an end too', async () => {
    const lines = [];
    const source = `process.stdout.write('grüße\\nlast'); process.stderr.write('oops\\n'); process.exitCode = 4`;
    const ok = await run(process.execPath, ['-e', source], { line: (text) => lines.push(text) });
    expect(ok).toBe(false);
    expect(lines.sort()).toEqual(['grüße', 'last', 'oops']);
  });

  test('ends who prints nothing for long, and nobody else', async () => {
    const program =
      'let n = 0; setInterval(() => n++ < 6 && console.log(n), 100); setTimeout(() => {}, 60_000);';
    const began = performance.now();
    const lines = [];
    const line = (text) => lines.push(text);
    expect(await run(process.execPath, ['-e', program], { silenceMs: 500, line })).toBe(false);
    expect(lines.slice(0, 6)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(lines[6]).toMatch(/printed nothing for 0.5 s and is ended: it hangs/);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  test('a program that is not there fails, and is named', async () => {
    const lines = [];
    expect(await run('no-such-program-of-cachalot', [], { line: (text) => lines.push(text) })).toBe(false);
    expect(lines).toEqual(['no-such-program-of-cachalot: spawn no-such-program-of-cachalot ENOENT']);
  });

  test.each([
    { name: 'leaves behind', after: '' },
    { name: 'runs when everything is stopped', after: 'wait' },
  ])('what a program $name is ended', async ({ after }) => {
    let pid = 0;
    const line = (text) => {
      pid = Number(text);
      if (after) stopAll();
    };
    // The child of the child lets go of the pipes, as a daemon would.
    await run('/bin/sh', ['-c', `sleep 1000 >/dev/null 2>&1 & echo $!; ${after}`], { line });
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => alive(pid)).toBe(false);
  });

  test('npm test: an unknown stage is refused, and a failing one makes the exit code', async () => {
    const script = join(import.meta.dirname, '../scripts/test.mjs');
    expect(() => execFileSync(process.execPath, [script, '--only', 'nope'], { stdio: 'pipe' })).toThrow(
      /No stage is called nope/,
    );
    const folder = await mkdtemp(join(tmpdir(), 'cachalot-path-'));
    cleanup.push(() => rm(folder, { recursive: true }));
    // A cargo that finds fault with everything.
    for (const name of ['cargo', 'rustc', 'cc']) {
      await writeFile(
        join(folder, name),
        '#!/bin/sh\nfor word; do [ "$word" = --version ] && echo 9.9.9 && exit 0; done\nexit 1\n',
        {
          mode: 0o755,
        },
      );
    }
    const child = spawn(process.execPath, [script, '--only', 'rustfmt'], {
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(output.trimEnd().split('\n').at(-1)).toBe('1 passed, 1 failed');
  });
});

describe("the demo's command line", () => {
  test('reads the backend and its address', () => {
    expect(readOptions([])).toEqual({ backend: 'memory', address: undefined, products: 3_000, seed: 1 });
    expect(readOptions(['--redis', 'redis://h:1/2', '--products', '500'])).toMatchObject({
      backend: 'redis',
      address: 'redis://h:1/2',
      products: 500,
    });
    expect(readOptions(['--memcached=h:1,h:2'])).toMatchObject({ backend: 'memcached', address: 'h:1,h:2' });
  });

  test.each([
    { argv: ['--redis', 'redis://h', '--memcached', 'h:1'], says: /choose one/ },
    { argv: ['--redsi', 'x'], says: /--redsi/ },
    { argv: ['--redis'], says: /--redis/ },
    { argv: ['--memcached', ''], says: /expected an address/ },
    { argv: ['--products', '3.5'], says: /--products: expected a whole number from 100 to 50000, got "3.5"/ },
    { argv: ['--seed', '-1'], says: /--seed/ },
  ])('$argv is refused, with the usage', ({ argv, says }) => {
    const { error } = readOptions(argv);
    expect(error).toMatch(says);
    expect(error).toContain('npm run demo');
  });
});
