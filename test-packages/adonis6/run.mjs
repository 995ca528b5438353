// The application and the tests of ../adonis on AdonisJS 6, with the oldest @adonisjs/cache and Bentocache that we speak
// of, on the Node.js that runs this.

import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installPacked, must, runTests } from '../packed.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const newer = fileURLToPath(new URL('../adonis/', import.meta.url));

installPacked(here, '@adonisjs/core');
cpSync(`${newer}app`, `${here}.built/source`, { recursive: true });
// Keys were the application's then, without a file of their own.
rmSync(`${here}.built/source/config/encryption.ts`);
cpSync(`${here}app`, `${here}.built/source`, { recursive: true });
must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.built/source', '--outDir', '.built/app'], {
  cwd: here,
});
cpSync(`${newer}app/resources`, `${here}.built/app/resources`, { recursive: true });
writeFileSync(`${here}.built/app/package.json`, '{ "name": "shop", "type": "module" }\n');

const env = { APP_NODE: process.execPath, APP_ROOT: `${here}.built/app/` };
const { passed, failed, ok } = runTests(here, process.argv.slice(2), env, { tests: `${newer}test` });
console.log(`AdonisJS 6: ${passed} tests passed, ${failed} failed; 1 type check passed.`);
process.exit(ok ? 0 : 1);
