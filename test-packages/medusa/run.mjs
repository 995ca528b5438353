// `npm ci && npm test` in this folder: packs the project as it would be published, installs that tarball here, compiles
// consumers and the example against it, and runs the tests on servers of their own.

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPacked, must, runTests } from '../packed.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

installPacked(here, '@medusajs/framework');

// The compiler resolves packages from where a file lies, so the example is compiled in here.
cpSync(join(here, '../../examples/medusa'), join(here, '.built/example'), { recursive: true });
const checks = ['types/tsconfig.json', 'types/tsconfig.example.json'];
for (const project of checks)
  must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { cwd: here });

// Further words on the command line are the runner's: --test-name-pattern, or files.
const { passed, failed, ok } = runTests(here, process.argv.slice(2));
console.log(`Medusa: ${passed} tests passed, ${failed} failed; ${checks.length} type checks passed.`);
process.exit(ok ? 0 : 1);
