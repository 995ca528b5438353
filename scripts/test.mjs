// `npm test`: everything but what is asked for by name, on a fresh clone. Stages run side by side, those whose tests
// measure time alone. One that fails does not hide the others; the last line is the sum.

import { join } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { postgresFolder } from '../test-packages/medusa-app/support/postgres.mjs';
import { count } from './counts.mjs';
import { install, provide, provided, TOOLS } from './prepare.mjs';
import { npm, root, run, stopAll } from './run.mjs';

/** More would only take the two cores that a small machine has from each other. */
const AT_ONCE = 2;

const cargo =
  (...words) =>
  (line, args = []) =>
    run('cargo', [...words, ...args], { line });
/** Programs of npm are run by their own files: a shell and npx between would swallow signals. */
const node =
  (path, ...words) =>
  (line, args = []) =>
    run(process.execPath, [path, ...words, ...args], { line });
const inTurn =
  (...steps) =>
  async (line, args) => {
    for (const step of steps) if (!(await step(line, args))) return false;
    return true;
  };
const clippy = (...features) =>
  cargo('clippy', '--locked', '--all-targets', ...features, '--', '-D', 'warnings');
const NAPI = 'node_modules/@napi-rs/cli/dist/cli.js';
const RUST_TESTS = [
  'test',
  '--locked',
  '--no-default-features',
  '--features',
  'direct-reads',
  '--no-fail-fast',
];

/** A package with dependencies of its own: installed, then its own `npm test`. */
const testPackage = (folder, what, { name = folder, needs = [], ...more } = {}) => ({
  name,
  what,
  needs: ['build', 'servers', ...needs],
  tests: true,
  run: inTurn(
    (line) => install(`test-packages/${folder}`, line),
    (line, args) =>
      npm(['test', '--silent', '--', ...args], { cwd: join(root, 'test-packages', folder), line }),
  ),
  ...more,
});

/**
 * Those that can begin do so in this order. `needs`: not run if one of them failed; `after`: runs all the same; `alone`:
 * nothing else runs meanwhile; `byName`: left out where none is named; `tests`: it has not passed unless a test has.
 */
const STAGES = [
  { name: 'tools', what: 'toolchain', run: async (line) => provided(TOOLS, line) },
  { name: 'install', what: 'npm ci', run: async (line) => install('.', line) },
  {
    name: 'servers',
    what: 'redis-server, memcached and openssl',
    run: (line) => provide(['redis-server', 'memcached', 'openssl'], line),
  },
  {
    name: 'postgres',
    what: 'postgresql',
    byName: true,
    run: (line) => provide(['postgresql'], line, () => postgresFolder() !== undefined),
  },
  {
    name: 'build',
    what: 'release addon and dist/',
    needs: ['tools', 'install'],
    run: (line) => npm(['run', '--silent', 'build'], { line }),
  },
  { name: 'rustfmt', what: 'Rust format', needs: ['tools'], run: cargo('fmt', '--check') },
  {
    name: 'clippy',
    what: 'Rust lint, the core alone and with the addon',
    needs: ['tools'],
    // With the feature of benchmark/native, so that what it measures goes on compiling.
    run: inTurn(clippy('--no-default-features', '--features', 'bench,direct-reads'), clippy()),
  },
  {
    name: 'rust-build',
    what: 'Rust tests, compiled',
    needs: ['tools'],
    // They would wait for each other's lock.
    after: ['clippy'],
    run: (line) => run('cargo', [...RUST_TESTS, '--no-run'], { line }),
  },
  {
    name: 'biome',
    what: 'TypeScript format and lint',
    needs: ['install'],
    run: node('node_modules/@biomejs/biome/bin/biome', 'ci'),
  },
  {
    name: 'tsc',
    what: 'types',
    needs: ['install'],
    run: node('node_modules/typescript/bin/tsc', '--noEmit'),
  },
  {
    name: 'drift',
    what: 'index.js, index.d.ts and npm/ are committed as they are generated',
    needs: ['build'],
    run: inTurn(node(NAPI, 'create-npm-dirs'), (line) =>
      run('git', ['diff', '--exit-code', '--', 'index.js', 'index.d.ts', 'npm'], { line }),
    ),
  },
  { name: 'types', what: 'types of consumers', needs: ['build'], run: node('__test__/types/run.mjs') },
  testPackage('medusa', "providers under Medusa's own module loader"),
  // It installs a thousand packages, and takes minutes: `npm run test:shop`.
  testPackage('medusa-app', 'a Medusa application on Postgres', {
    name: 'shop',
    needs: ['postgres'],
    byName: true,
  }),
  testPackage('bentocache', "Bentocache's own driver suite, and Bentocache itself"),
  testPackage('adonis', 'an AdonisJS 7 application, with a Node.js of its own'),
  testPackage('adonis6', 'the same application on AdonisJS 6'),
  testPackage('keyv', "Keyv's own test suite, cache-manager, NestJS and OpenTelemetry"),
  {
    name: 'rust',
    what: 'Rust tests',
    needs: ['rust-build', 'servers'],
    tests: true,
    alone: true,
    run: cargo(...RUST_TESTS),
  },
  {
    name: 'vitest',
    what: 'TypeScript tests',
    needs: ['build', 'servers'],
    tests: true,
    alone: true,
    run: node('node_modules/vitest/vitest.mjs', 'run'),
  },
];
const usage = `npm test                          everything but postgres and shop
npm test -- --only vitest         one stage and what it needs; repeat it, or write a,b
npm test -- --only rust -- tags   further words go to that stage's runner
Stages: ${STAGES.map(({ name }) => name).join(', ')}`;

const { only, words } = readArguments();
const chosen = only.length > 0 ? withNeeds(only) : STAGES.filter(({ byName }) => !byName);

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    stopAll();
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
/** Stages by name, as promises of whether they succeeded. */
const results = new Map();
const summary = [];
const waiting = [];
let busy = 0;
for (const [order, stage] of chosen.entries()) results.set(stage.name, carryOut(stage, order));
await Promise.all(results.values());
console.log(`\n${summary.join('\n')}${interrupted ? '\nInterrupted.' : ''}`);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = interrupted ? 130 : total.failed > 0 ? 1 : 0;

async function carryOut({ name, what, needs = [], after = [], tests = false, alone = false, run }, order) {
  const needed = await Promise.all(needs.map((need) => results.get(need)));
  await Promise.all(after.map((other) => results.get(other)));
  await turn(alone ? AT_ONCE : 1, order);
  const began = performance.now();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const slow = new Set();
  const line = (text) => {
    console.log(`${name} | ${text}`);
    count(stripVTControlCharacters(text), counts, slow);
  };
  let note = 'not run';
  try {
    if (needed.every(Boolean) && !interrupted) {
      const succeeded = await run(line, only.includes(name) ? words : []).catch((error) => line(error.stack));
      for (const test of slow) line(`Did not end: ${test}`);
      // A runner that counts nothing is one check; one that failed without a failed test did not compile, or crashed.
      if (succeeded && counts.passed + counts.failed === 0) counts[tests ? 'failed' : 'passed'] = 1;
      if (!succeeded && counts.failed === 0) counts.failed = 1;
      note = counts.failed > 0 ? 'FAILED' : 'ok';
    } else counts.skipped = 1;
  } finally {
    leave(alone ? AT_ONCE : 1);
  }
  for (const kind of Object.keys(total)) total[kind] += counts[kind];
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  summary.push(
    `${note.padEnd(8)}${seconds.padStart(5)} s  ${name} (${what}): ${counts.passed} passed, ${counts.failed} failed`,
  );
  return note === 'ok';
}

/** Waits until so many places are free. */
async function turn(places, order) {
  if (busy + places > AT_ONCE) await new Promise((go) => waiting.push({ places, order, go }));
  else busy += places;
}

function leave(places) {
  busy -= places;
  for (const next of waiting.toSorted((a, b) => a.order - b.order)) {
    if (busy + next.places > AT_ONCE) continue;
    busy += next.places;
    waiting.splice(waiting.indexOf(next), 1);
    next.go();
  }
}

function withNeeds(names) {
  const all = new Set(names);
  for (const name of all)
    for (const need of STAGES.find((stage) => stage.name === name).needs ?? []) all.add(need);
  return STAGES.filter(({ name }) => all.has(name));
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { only: { type: 'string', multiple: true, default: [] }, help: { type: 'boolean' } },
    });
    if (values.help) {
      console.log(usage);
      process.exit();
    }
    const only = values.only.flatMap((text) => text.split(','));
    for (const name of only)
      if (!STAGES.some((stage) => stage.name === name)) throw new Error(`No stage is called ${name}.`);
    if (positionals.length > 0 && only.length !== 1)
      throw new Error(`Further words (${positionals.join(' ')}) go to one stage: choose it with --only.`);
    return { only, words: positionals };
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}
