// `npm run demo`: installs and builds what is missing, then runs examples/demo. Node's built-ins only.

import { readOptions } from '../examples/demo/options.mjs';
import { install, provided, TOOLS } from './prepare.mjs';
import { npm } from './run.mjs';

const { help, error } = readOptions(process.argv.slice(2));
// Help and a misspelt option need no build: the demo itself answers them.
const ready =
  (help ?? error) !== undefined ||
  (provided(TOOLS) && (await install()) && (await npm(['run', '--silent', 'build'])));
if (ready) await import('../examples/demo/main.mjs');
else {
  console.error('\nThe demo could not be built; the reason is above.');
  process.exitCode = 1;
}
