// `npm run bench` at the root: reads the command line, installs what the peers need on first use, then measures.

import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { install } from '../scripts/prepare.mjs';
import { HELP, readOptions } from './options.mjs';
import './signals.mjs';

let options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error.message}\n--help names all options.`);
  process.exit(2);
}
if (options.help) {
  console.log(HELP);
  process.exit();
}
if (!existsSync(new URL('../dist', import.meta.url))) {
  console.error('The package is not built yet. Run: npm ci && npm run build');
  process.exit(1);
}
if (!(await install('benchmark'))) process.exit(1);
// One contestant's garbage is not to be another's pause.
setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc');
await import('./bench.mjs');
