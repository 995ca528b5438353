// `npm run bench` at the root: reads the command line, installs what the peers need on first use, then measures in a
// process of its own (with the collector exposed, so that one contestant's garbage is not another's pause).

import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must } from './foreground.mjs';
import { readOptions } from './options.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

// First of all: nobody wants to wait for an installation to be told of a misspelt option.
const options = readOptions(process.argv.slice(2));
if (options.help !== undefined) {
  console.log(options.help);
  process.exit(0);
}
if (options.error !== undefined) {
  console.error(options.error);
  process.exit(2);
}
if (!existsSync(`${root}dist`)) {
  console.error('The package is not built yet. Run: npm ci && npm run build');
  process.exit(1);
}

// npm writes this file at the end of an installation: its age says whether the lockfile has changed since.
const installed = `${here}node_modules/.package-lock.json`;
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${here}package-lock.json`).mtimeMs) {
  await must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], here);
}
await must(process.execPath, ['--expose-gc', `${here}bench.mjs`, ...process.argv.slice(2)], here);
