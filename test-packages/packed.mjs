// The project as it would be published, installed into a test package: what a person gets, and nothing else of this tree.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** All steps together take well under a minute; one that hangs must not hold up whoever waits for it. */
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
 */
export function runTests(folder, words, env, tests = join(folder, 'test')) {
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
    { cwd: folder, env },
  );
  const tap = readFileSync(report, 'utf8');
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(tap)?.[1]);
  const [passed, failed] = [count('pass'), count('fail') + count('cancelled')];
  return { passed, failed, ok: status === 0 && failed === 0 && passed > 0 };
}

/** Runs a program to its end. @returns its status and, if captured, what it wrote */
export function run(command, args, { cwd, capture = false, env = {} }) {
  const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
  return spawnSync(command, args, {
    cwd,
    stdio,
    encoding: 'utf8',
    timeout: STEP_MS,
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
