// What the closing line of `npm test` is made of, and how it deals with programs.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readOptions } from '../examples/demo/options.mjs';
import { cargoReader, closingLine, nodeTestReader, sum, vitestCounts, withExit } from '../scripts/counts.mjs';
import { agrees } from '../scripts/install.mjs';
import { run, stopAll } from '../scripts/run.mjs';
import { alive } from './support/processes.js';

describe('whether packages are installed', () => {
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const elsewhere = { ...a, optional: true, os: ['plan9'], cpu: ['mips'] };
  const here = { ...a, optional: true, os: [process.platform], cpu: [process.arch] };
  const locked = { '': { name: 'root' }, 'node_modules/a': a, 'node_modules/elsewhere': elsewhere };

  test.each([
    ['all are', { 'node_modules/a': a }, true],
    ['one is missing', {}, false],
    ['one is of another version', { 'node_modules/a': { ...a, version: '1.0.1' } }, false],
    ['one is of other bytes', { 'node_modules/a': { ...a, integrity: 'sha512-b' } }, false],
    ['one is too many', { 'node_modules/a': a, 'node_modules/b': a }, false],
  ])('%s', (_, there, expected) => expect(agrees(locked, there)).toBe(expected));

  test('more may be there', () =>
    expect(agrees(locked, { 'node_modules/a': a, 'node_modules/b': a }, true)).toBe(true));

  test('one for this platform is missing', () =>
    expect(agrees({ ...locked, 'node_modules/here': here }, { 'node_modules/a': a })).toBe(false));
});

describe('counts', () => {
  test('of cargo: all binaries, failures and ignored ones', () => {
    const { line, counts } = cargoReader();
    line('test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s');
    line('test something ... ok');
    line('test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s');
    expect(counts).toEqual({ passed: 15, failed: 2, skipped: 1 });
  });

  test('of cargo: which tests were told to take long, and did not end', () => {
    const { line, slow } = cargoReader();
    line('test races::one has been running for over 60 seconds');
    line('test races::other has been running for over 60 seconds');
    line('test races::one ... ok');
    expect([...slow]).toEqual(['races::other']);
  });

  test("of Node's test runner, in both forms", () => {
    const { line, counts } = nodeTestReader();
    for (const text of ['# pass 3', '# fail 1', '# skipped 0', 'ℹ pass 2', 'ℹ cancelled 1', 'ℹ todo 1'])
      line(text);
    expect(counts).toEqual({ passed: 5, failed: 2, skipped: 1 });
  });

  test('of vitest: a file that does not load is a failure', () => {
    const tests = (...all) => all.map((status) => ({ status }));
    const report = {
      testResults: [
        { status: 'passed', assertionResults: tests('passed', 'passed', 'skipped') },
        { status: 'failed', assertionResults: tests('passed', 'failed') },
        { status: 'failed', assertionResults: [] },
      ],
    };
    expect(vitestCounts(report)).toEqual({ passed: 3, failed: 2, skipped: 1 });
  });

  test('a runner that failed without a failed test is a failure', () => {
    expect(withExit({ passed: 3, failed: 0, skipped: 0 }, 101)).toEqual({ passed: 3, failed: 1, skipped: 0 });
    expect(withExit({ passed: 3, failed: 2, skipped: 0 }, 1)).toEqual({ passed: 3, failed: 2, skipped: 0 });
    expect(withExit({ passed: 3, failed: 0, skipped: 0 }, 0)).toEqual({ passed: 3, failed: 0, skipped: 0 });
  });

  test('in one line', () => {
    expect(
      closingLine(
        sum([
          { passed: 1, failed: 0, skipped: 0 },
          { passed: 2, failed: 1, skipped: 0 },
        ]),
      ),
    ).toBe('3 passed, 1 failed');
    expect(closingLine({ passed: 1, failed: 0, skipped: 2 })).toBe('1 passed, 0 failed, 2 skipped');
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
    const { code } = await run(process.execPath, ['-e', source], {
      quiet: true,
      line: (text) => lines.push(text),
    });
    expect(code).toBe(4);
    expect(lines.sort()).toEqual(['grüße', 'last', 'oops']);
  });

  test('ends who prints nothing for long, and nobody else', async () => {
    const program =
      'let n = 0; setInterval(() => n++ < 6 && console.log(n), 100); setTimeout(() => {}, 60_000);';
    const began = performance.now();
    const lines = [];
    const { code } = await run(process.execPath, ['-e', program], {
      quiet: true,
      silenceMs: 500,
      line: (text) => lines.push(text),
    });
    expect(code).toBe(1);
    expect(lines).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  test('a program that is not there is told apart', async () => {
    expect(await run('no-such-program-of-cachalot', [], { quiet: true })).toEqual({
      code: 127,
      missing: true,
    });
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
    await run('/bin/sh', ['-c', `sleep 1000 >/dev/null 2>&1 & echo $!; ${after}`], { quiet: true, line });
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
