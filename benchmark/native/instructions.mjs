// `npm run bench:instructions`: instructions of a get and of a set in the core, counted by callgrind, beside those that
// benchmark/native/instructions.json recorded. Noise cannot blur it: a machine that is busy counts the same.
//
// Not a part of `npm test`: counts hold for one compiler and one kind of processor (libc picks its copies by it), neither
// is pinned, and linking takes longer than all else in it.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startRedis } from '../../test-packages/servers.mjs';
import '../signals.mjs';

const file = new URL('instructions.json', import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));

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

const { record } = parseArgs({ options: { record: { type: 'boolean', default: false } } }).values;
const conditions = {
  rustc: execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim(),
  machine: `${process.platform} ${process.arch}`,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
};
const program = build();
const counts = {};
const redis = await startRedis();
try {
  for (const [kind, sizes] of Object.entries(KINDS)) {
    for (const bytes of sizes) {
      const name = `${kind}_${bytes}`;
      const [few, many] = TIMES.map((times) => collected(name, times));
      counts[name] = Math.round((many - few) / ((TIMES[1] - TIMES[0]) * ENTRIES));
      // A signal is heard between two cases.
      await setImmediate();
    }
  }
} finally {
  await redis.stop();
}
if (record) writeFileSync(file, `${JSON.stringify({ conditions, instructions: counts }, null, 2)}\n`);
else compare(JSON.parse(readFileSync(file, 'utf8')));

function compare(recorded) {
  const risen = Object.keys(counts).filter((name) => {
    const change = counts[name] / recorded.instructions[name] - 1;
    console.log(`${name.padEnd(18)}${String(counts[name]).padStart(9)}  ${(change * 100).toFixed(1)} %`);
    return !(change <= TOLERANCE);
  });
  if (risen.length === 0) return;
  console.log(`More by over ${TOLERANCE * 100} %: ${risen.join(', ')}.`);
  console.log(`Recorded with ${JSON.stringify(recorded.conditions)}, this is ${JSON.stringify(conditions)}.`);
  console.log('Where they differ, record before a change: npm run bench:instructions -- --record');
  process.exitCode = 1;
}

/** Optimized, with the feature `bench`. @returns the path of the program */
function build() {
  const words = ['bench', '--locked', '--no-default-features', '--features', 'bench', '--bench', 'hot_path'];
  const said = execFileSync('cargo', [...words, '--no-run', '--message-format=json-render-diagnostics'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  });
  const messages = said.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  return messages.find(({ executable, target }) => executable && target.name === 'hot_path').executable;
}

function collected(name, times) {
  const words = ['--tool=callgrind', '--callgrind-out-file=/dev/null', program, name, times, redis.port];
  const { stderr, error } = spawnSync('valgrind', words.map(String), { encoding: 'utf8' });
  const found = /Collected : (\d+)/.exec(stderr ?? '');
  if (!found) throw new Error(`valgrind: ${name}: ${error?.message ?? stderr}`);
  return Number(found[1]);
}
