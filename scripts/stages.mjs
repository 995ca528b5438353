// What `npm test` consists of, in order, and what is asked for by name. A stage returns its counts; what it needs runs before it.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { cargoReader, check, nodeTestReader, none, sum, vitestCounts, withExit } from './counts.mjs';
import { generatedFilesAreCurrent } from './drift.mjs';
import { install } from './install.mjs';
import { root } from './root.mjs';
import { npm, run } from './run.mjs';
import { CACHES, provideServers } from './servers.mjs';
import { missingCheckers, missingTools } from './toolchain.mjs';

const MEDUSA = 'test-packages/medusa';
const MEDUSA_APP = 'test-packages/medusa-app';
const BENTOCACHE = 'test-packages/bentocache';
const ADONIS = 'test-packages/adonis';
const ADONIS6 = 'test-packages/adonis6';
const KEYV = 'test-packages/keyv';

/** The programs are run by their own files: a shell and npx between them would swallow signals. */
const tool = (path, args) => run(process.execPath, [join(root, 'node_modules', path), ...args]);

const clippy = (features) =>
  run('cargo', ['clippy', '--locked', '--all-targets', ...features, '--', '-D', 'warnings']);

/** A package with dependencies of its own: installed, then its own `npm test`, whose counts its runners print. */
async function testPackage(folder, args) {
  if (!existsSync(join(root, folder, 'package.json'))) return check(false);
  if (!(await install(folder))) return check(false);
  const reader = nodeTestReader();
  const { code } = await npm(['test', '--silent', '--', ...args], {
    cwd: join(root, folder),
    line: reader.line,
  });
  return withExit(reader.counts, code);
}

/**
 * @typedef {object} Stage
 * @property {string} name for `--only`
 * @property {string} title
 * @property {string[]} needs names of stages without which it cannot run
 * @property {boolean} [onlyByName] whether it is left out where no stage is named
 * @property {(args: string[]) => Promise<import('./counts.mjs').Counts>} run `args`: what follows on the command line
 */

/** @type {Stage[]} */
export const STAGES = [
  {
    name: 'tools',
    title: 'Toolchain',
    needs: [],
    async run() {
      const missing = [...missingTools(), ...missingCheckers()];
      for (const complaint of missing) console.error(complaint);
      return check(missing.length === 0);
    },
  },
  {
    name: 'install',
    title: 'Dependencies (npm ci)',
    needs: [],
    run: async () => check(await install()),
  },
  {
    name: 'servers',
    title: 'redis-server and memcached',
    needs: [],
    run: async () => check(await provideServers(CACHES)),
  },
  {
    name: 'postgres',
    title: 'postgresql',
    needs: [],
    onlyByName: true,
    run: async () => check(await provideServers(['postgresql'])),
  },
  {
    name: 'rustfmt',
    title: 'Rust format (rustfmt)',
    needs: ['tools'],
    run: async () => check((await run('cargo', ['fmt', '--check'])).code === 0),
  },
  {
    name: 'clippy',
    title: 'Rust lint (clippy), core alone and with the addon',
    needs: ['tools'],
    run: async () =>
      sum([
        // With the doors of benchmark/native, so that what it measures goes on compiling.
        check((await clippy(['--no-default-features', '--features', 'bench'])).code === 0),
        check((await clippy([])).code === 0),
      ]),
  },
  {
    name: 'rust',
    title: 'Rust tests (cargo test --no-default-features)',
    needs: ['tools', 'servers'],
    async run(args) {
      const reader = cargoReader();
      const { code } = await run(
        'cargo',
        ['test', '--locked', '--no-default-features', '--no-fail-fast', ...args],
        { line: reader.line },
      );
      for (const name of reader.slow) console.error(`Did not end: ${name}`);
      return withExit(reader.counts, code);
    },
  },
  {
    name: 'biome',
    title: 'TypeScript format and lint (Biome)',
    needs: ['install'],
    run: async () => check((await tool('@biomejs/biome/bin/biome', ['ci'])).code === 0),
  },
  {
    name: 'tsc',
    title: 'Types (tsc)',
    needs: ['install'],
    run: async () => check((await tool('typescript/bin/tsc', ['--noEmit'])).code === 0),
  },
  {
    name: 'build',
    title: 'Release addon and dist/',
    needs: ['tools', 'install'],
    run: async () => check(await build()),
  },
  {
    name: 'drift',
    title: 'Generated files (index.js, index.d.ts, npm/)',
    needs: ['build'],
    run: async () => check(await generatedFilesAreCurrent()),
  },
  {
    name: 'types',
    title: 'Types of consumers (CommonJS, ES modules, bundlers)',
    needs: ['build'],
    run: async () => check((await run(process.execPath, ['__test__/types/run.mjs'])).code === 0),
  },
  {
    name: 'vitest',
    title: 'TypeScript tests (vitest)',
    needs: ['build', 'servers'],
    async run(args) {
      const report = join(root, 'tmp', 'vitest.json');
      mkdirSync(join(root, 'tmp'), { recursive: true });
      rmSync(report, { force: true });
      const { code } = await tool('vitest/vitest.mjs', [
        ...['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
        ...args,
      ]);
      const counts = existsSync(report) ? vitestCounts(JSON.parse(readFileSync(report, 'utf8'))) : none();
      return withExit(counts, code);
    },
  },
  {
    name: 'medusa',
    title: "Providers under Medusa's own module loader",
    needs: ['build', 'servers'],
    run: (args) => testPackage(MEDUSA, args),
  },
  {
    name: 'shop',
    title: 'A Medusa application on Postgres',
    needs: ['build', 'servers', 'postgres'],
    // It installs a thousand packages, and takes minutes: `npm run test:shop`.
    onlyByName: true,
    run: (args) => testPackage(MEDUSA_APP, args),
  },
  {
    name: 'bentocache',
    title: "Bentocache's own driver suite, and Bentocache itself",
    needs: ['build', 'servers'],
    run: (args) => testPackage(BENTOCACHE, args),
  },
  {
    name: 'adonis',
    title: 'An AdonisJS application (AdonisJS 7, with a Node.js of its own)',
    needs: ['build', 'servers'],
    run: (args) => testPackage(ADONIS, args),
  },
  {
    name: 'adonis6',
    title: 'The same application on AdonisJS 6',
    needs: ['build', 'servers'],
    run: (args) => testPackage(ADONIS6, args),
  },
  {
    name: 'keyv',
    title: "Keyv's own test suite, cache-manager, NestJS and the metrics of OpenTelemetry",
    needs: ['build', 'servers'],
    async run(args) {
      if (!(await install(KEYV))) return check(false);
      const report = join(root, KEYV, '.built', 'tests.json');
      rmSync(report, { force: true });
      const { code } = await npm(['test', '--silent', '--', ...args], { cwd: join(root, KEYV) });
      const counts = existsSync(report) ? vitestCounts(JSON.parse(readFileSync(report, 'utf8'))) : none();
      return withExit(counts, code);
    },
  },
];
