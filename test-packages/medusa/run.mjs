// `npm ci && npm test` in this folder: packs the project as it would be published, installs that tarball here, compiles
// consumers and the example against it, and runs the tests on servers of their own.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** All of it takes well under a minute; a step that hangs must not hold up whoever waits for it. */
const STEP_MS = 5 * 60_000;

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const built = `${here}.built`;

if (!existsSync(`${root}dist`))
  fail('The package is not built yet. Run at the root: npm ci && npm run build');
if (!existsSync(`${here}node_modules/@medusajs/framework`))
  fail('Medusa is not installed yet. Run here: npm ci');

rmSync(built, { recursive: true, force: true });
mkdirSync(built);
const packed = must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', built], {
  cwd: root,
  capture: true,
});
const [{ filename }] = JSON.parse(packed);
must('npm', [
  'install',
  '--no-save',
  '--ignore-scripts',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  `${built}/${filename}`,
]);

// The compiler resolves packages from where a file lies, so the example is compiled in here.
cpSync(`${root}examples/medusa`, `${built}/example`, { recursive: true });
const checks = ['types/tsconfig.json', 'types/tsconfig.example.json'];
for (const project of checks) must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]);

const report = `${built}/tests.tap`;
const { status } = run(process.execPath, [
  ...['--test', '--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...['--test-reporter=tap', `--test-reporter-destination=${report}`],
  // Further words on the command line are the runner's: --test-name-pattern, or files.
  ...process.argv.slice(2),
  ...(process.argv.slice(2).some((word) => word.startsWith('test/')) ? [] : ['test/']),
]);
const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(readFileSync(report, 'utf8'))?.[1]);
const [passed, failed] = [count('pass'), count('fail') + count('cancelled')];
console.log(`Medusa: ${passed} tests passed, ${failed} failed; ${checks.length} type checks passed.`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);

function run(command, args, { cwd = here, capture = false } = {}) {
  const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
  return spawnSync(command, args, { cwd, stdio, encoding: 'utf8', timeout: STEP_MS });
}

function must(command, args, options) {
  const { status, signal, error, stdout } = run(command, args, options);
  if (status !== 0)
    fail(`${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}`);
  return stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
