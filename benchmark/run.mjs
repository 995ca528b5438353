// `npm run bench` at the root: installs what the peers need on first use, then measures in a process of its own (with
// the collector exposed, so that one contestant's garbage is not another's pause).
//
//   npm run bench                        full, some 20 minutes; writes docs/benchmarks/, docs/benchmarks.md and the
//                                        README's region
//   npm run bench -- --quick             under three minutes; prints, and writes tmp/benchmark.json (--publish: as above)
//   npm run bench -- --only 'get 1 KB'   cells whose name matches, and `floors` or `costs` if that does
//   npm run bench -- --rounds 1          every cell of the full run once: whether all of it works, in some five minutes

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

if (!existsSync(`${root}dist`)) {
  console.error('The package is not built yet. Run: npm ci && npm run build');
  process.exit(1);
}
// npm writes this file at the end of an installation: its age says whether the lockfile has changed since.
const installed = `${here}node_modules/.package-lock.json`;
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${here}package-lock.json`).mtimeMs) {
  must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}
must(process.execPath, ['--expose-gc', `${here}bench.mjs`, ...process.argv.slice(2)]);

function must(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: here, stdio: 'inherit' });
  if (status !== 0) {
    if (error) console.error(`${command}: ${error.message}`);
    if (signal) console.error(`${command} was ended by ${signal}; its servers may still run.`);
    process.exit(status ?? 1);
  }
}
