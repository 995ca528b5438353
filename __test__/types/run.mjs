// Compiles consumers against the built package (dist/), which they import by its own name: `node __test__/types/run.mjs`.
// Without any @types package and with library checks on: the emitted types must stand alone.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

if (!existsSync(here('../../dist'))) {
  console.error('type tests: dist/ is missing; run `npm run build:js` first.');
  process.exit(1);
}

const compiler = require.resolve('typescript/bin/tsc');
const failed = ['tsconfig.node16.json', 'tsconfig.bundler.json', 'tsconfig.disposable.json'].filter(
  (project) => {
    const { status } = spawnSync(process.execPath, [compiler, '-p', here(project)], { stdio: 'inherit' });
    console.log(`type tests: ${project} ${status === 0 ? 'passed' : 'failed'}`);
    return status !== 0;
  },
);
process.exit(failed.length === 0 ? 0 : 1);
