// `npm ci && npm test` in this folder: packs the project as it would be published, installs that tarball here, compiles
// consumers and the examples against it, and runs the tests on servers of their own.

import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, installPacked, must, run } from '../packed.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const built = join(here, '.built');

installPacked(here, 'keyv');

// Packages are looked up from where a file lies, so the examples are compiled and run in here.
for (const name of ['keyv', 'cache-manager', 'nestjs', 'opentelemetry'])
  cpSync(join(here, '../../examples', name), join(built, 'examples', name), {
    recursive: true,
    filter: (path) => !path.includes('node_modules'),
  });
const checks = ['types/tsconfig.json', '.built/examples/nestjs/tsconfig.json'];
for (const project of checks)
  must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { cwd: here });

const report = join(built, 'tests.json');
const { status } = run(
  process.execPath,
  [
    ...['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'],
    `--outputFile.json=${report}`,
    // Further words on the command line are the runner's: -t, or files.
    ...process.argv.slice(2),
  ],
  { cwd: here },
);
if (!existsSync(report)) fail('The tests did not run to their end.');
const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, 'utf8'));
console.log(`Keyv: ${passed} tests passed, ${failed} failed; ${checks.length} type checks passed.`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
