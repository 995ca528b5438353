// The project as it would be published, installed into a test package: what a person gets, and nothing else of this tree.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A step takes well under a minute, unless it says otherwise; one that hangs must not hold up whoever waits for it. */
const STEP_MS = 5 * 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Packs the project and installs the tarball into `folder`, whose own dependencies must be there (`npm ci`).
 *
 * @param {string} folder absolute
 * @param {string} witness a package that `npm ci` there installs
 */
export function installPacked(folder, witness) {
  if (!existsSync(join(root, 'dist')))
    fail('The package is not built yet. Run at the root: npm ci && npm run build');
  if (!existsSync(join(folder, 'node_modules', witness)))
    fail(`${witness} is not installed yet. Run here: npm ci`);
  const built = join(folder, '.built');
  rmSync(built, { recursive: true, force: true });
  mkdirSync(built);
  const packed = must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', built], {
    cwd: root,
    capture: true,
  });
  const [{ filename }] = JSON.parse(packed);
  const install = ['install', '--no-save', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  must('npm', [...install, join(built, filename)], { cwd: folder });
}

/**
 * Runs the files in `tests` with Node's own runner, and counts.
 *
 * @param {string[]} words further words for it: --test-name-pattern, or files
 * @param {object} [options]
 * @param {string} [options.tests] their folder
 * @param {number} [options.timeout] ms for all of them
 */
export function runTests(folder, words, env, { tests = join(folder, 'test'), timeout } = {}) {
  const report = join(folder, '.built', 'tests.tap');
  // Named one by one: Node 20 takes a folder, later ones take it for a file.
  const files = readdirSync(tests).map((name) => join(tests, name));
  const { status } = run(
    process.execPath,
    [
      ...['--test', '--test-reporter=spec', '--test-reporter-destination=stdout'],
      ...['--test-reporter=tap', `--test-reporter-destination=${report}`],
      ...words,
      ...(words.some((word) => word.endsWith('.mjs')) ? [] : files),
    ],
    { cwd: folder, env, timeout },
  );
  const tap = readFileSync(report, 'utf8');
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0);
  const passed = count('pass');
  // A runner that was ended has counted nothing, and failed all the same.
  const failed = Math.max(count('fail') + count('cancelled'), status === 0 ? 0 : 1);
  return { passed, failed, ok: failed === 0 && passed > 0 };
}

/** Runs a program to its end. @returns its status and, if captured, what it wrote */
export function run(command, args, { cwd, capture = false, env = {}, timeout = STEP_MS }) {
  const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
  return spawnSync(command, args, {
    cwd,
    stdio,
    encoding: 'utf8',
    timeout,
    env: { ...process.env, ...env },
  });
}

/** As `run`; a program that fails ends this one. @returns what it wrote */
export function must(command, args, options) {
  const { status, signal, error, stdout } = run(command, args, options);
  if (status !== 0)
    fail(`${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}`);
  return stdout;
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}
