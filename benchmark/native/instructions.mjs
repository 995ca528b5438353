// `npm run bench:instructions`: instructions of a get and of a set in the core, counted by callgrind, beside those that
// benchmark/native/instructions.json recorded. Noise cannot blur it: a machine that is busy counts the same.
//
// Not a part of `npm test`: counts hold for one compiler and one kind of processor (libc picks its copies by it), neither
// is pinned, and linking takes longer than all else in it.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startRedis } from '../../test-packages/servers.mjs';
import { readOrEnd } from '../command-line.mjs';
import { endOnSignals } from '../foreground.mjs';
import { build } from './build.mjs';

const file = fileURLToPath(new URL('instructions.json', import.meta.url));

/** Maps are seeded by chance, which moves a count by some tenths of a percent. */
const TOLERANCE = 0.015;
/** Operations of one time, as in hot_path.rs. */
const ENTRIES = 16;
/** Two runs that differ only in how often the work is done: what starting takes cancels out. */
const TIMES = [20, 220];
const KINDS = {
  redis_get: [200, 1_024, 16_384],
  redis_set: [200, 1_024],
  memory_get: [1_024],
  memory_set: [1_024],
  parts_get: [200, 1_024, 16_384],
  parts_set: [200, 1_024, 16_384],
};
const CASES = Object.entries(KINDS).flatMap(([kind, sizes]) => sizes.map((bytes) => `${kind}_${bytes}`));

const HELP = `npm run bench:instructions                compares with benchmark/native/instructions.json; fails if a count rose by
                                          more than ${TOLERANCE * 100} %
npm run bench:instructions -- --record    writes the counts of now

  --record   as above
  --help     this text`;

const { record } = readOrEnd(HELP, { record: { type: 'boolean', default: false } });

const conditions = {
  rustc: execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim(),
  machine: `${process.platform} ${process.arch}`,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
};

provideValgrind();
const program = build('hot_path');
const counts = {};
endOnSignals();
const redis = await startRedis();
try {
  for (const name of CASES) {
    counts[name] = instructions(name);
    // A signal is heard between two cases.
    await setImmediate();
  }
} finally {
  await redis.stop();
}
if (record) {
  writeFileSync(file, `${JSON.stringify({ conditions, instructions: counts }, null, 2)}\n`);
  console.log('Written: benchmark/native/instructions.json');
} else {
  process.exitCode = compare(JSON.parse(readFileSync(file, 'utf8'))) ? 0 : 1;
}

function compare(recorded) {
  const others = Object.keys(conditions).filter((name) => conditions[name] !== recorded.conditions[name]);
  for (const name of others) {
    console.log(`Recorded with ${name} ${recorded.conditions[name]}, this is ${conditions[name]}.`);
  }
  let risen = 0;
  for (const name of CASES) {
    const before = recorded.instructions[name];
    if (before === undefined)
      throw new Error(`${name} is not recorded. npm run bench:instructions -- --record`);
    const change = counts[name] / before - 1;
    const worse = !(change <= TOLERANCE);
    if (worse) risen++;
    const percent = `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`;
    console.log(
      `${name.padEnd(18)}${String(counts[name]).padStart(9)} instructions ${percent.padStart(9)}${worse ? '  MORE' : ''}`,
    );
  }
  if (risen === 0) return true;
  console.log(
    others.length > 0
      ? 'The conditions differ, so nothing is said by that. Record on this machine before a change: -- --record'
      : `${risen} rose by more than ${TOLERANCE * 100} %. If that is what the change is worth: npm run bench:instructions -- --record`,
  );
  return others.length > 0;
}

/** Instructions of one operation. */
function instructions(name) {
  const [few, many] = TIMES.map((times) => collected(name, times));
  return Math.round((many - few) / ((TIMES[1] - TIMES[0]) * ENTRIES));
}

function collected(name, times) {
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-callgrind-'));
  try {
    const { status, stderr, error } = spawnSync(
      'valgrind',
      [
        '--tool=callgrind',
        `--callgrind-out-file=${folder}/out`,
        program,
        name,
        String(times),
        String(redis.port),
      ],
      { encoding: 'utf8' },
    );
    const found = /Collected : (\d+)/.exec(stderr ?? '');
    if (status !== 0 || !found) throw new Error(`valgrind: ${name}: ${error?.message ?? stderr}`);
    return Number(found[1]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function provideValgrind() {
  if (found()) return;
  if (existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    console.log('Installing valgrind with apt-get');
    for (const words of [['update'], ['install', '--no-install-recommends', 'valgrind']])
      spawnSync('apt-get', ['-q', '-y', ...words], { stdio: 'inherit' });
    if (found()) return;
  }
  console.error('valgrind: not found on the PATH. On Debian, Ubuntu: sudo apt-get install valgrind');
  process.exit(1);
}

function found() {
  return spawnSync('valgrind', ['--version']).status === 0;
}
