// `npm test`: everything but what is asked for by name, on a fresh clone. A stage that fails does not hide the others; the last line is the sum.

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(
    `Node.js 20 or later is needed, this is ${process.versions.node}. See https://nodejs.org/en/download`,
  );
  process.exit(1);
}

const { parseArgs } = await import('node:util');
const { check, closingLine, none, sum } = await import('./counts.mjs');
const { stopAll } = await import('./run.mjs');
const { STAGES } = await import('./stages.mjs');

const names = STAGES.map((stage) => stage.name);
const byName = STAGES.filter((stage) => stage.onlyByName).map((stage) => stage.name);
const usage = `npm test                          everything but ${byName.join(' and ')}
npm test -- --only vitest         one stage (and what it needs); repeat it, or write a,b
npm test -- --only rust -- tags   further words go to that stage's runner
Stages: ${names.join(', ')}`;

const { only, rest } = readArguments();
const wanted = only.length === 0 ? new Set(names.filter((name) => !byName.includes(name))) : withNeeds(only);

let interrupted;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = signal;
    stopAll();
  });
}

/** @type {Array<{ stage: import('./stages.mjs').Stage, counts: import('./counts.mjs').Counts, seconds: number, note?: string }>} */
const results = [];
for (const stage of STAGES.filter(({ name }) => wanted.has(name))) {
  if (interrupted) break;
  results.push(await carryOut(stage));
}

console.log('\n== Summary');
for (const { stage, counts, seconds, note } of results) {
  const mark = note ?? (counts.failed > 0 ? 'FAILED' : 'ok');
  console.log(
    `${mark.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s  ${stage.title}: ${closingLine(counts)}`,
  );
}
const total = sum(results.map(({ counts }) => counts));
if (interrupted) console.log(`Interrupted by ${interrupted}.`);
process.exitCode = interrupted ? 130 : total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(closingLine(total));

async function carryOut(stage) {
  console.log(`\n== ${stage.title}`);
  const broken = stage.needs.filter((need) => results.some((one) => one.stage.name === need && !sound(one)));
  if (broken.length > 0) {
    console.log(`Not run: it needs ${broken.join(' and ')}.`);
    return { stage, counts: { ...none(), skipped: 1 }, seconds: 0, note: 'not run' };
  }
  const started = performance.now();
  let counts;
  try {
    counts = await stage.run(only.includes(stage.name) ? rest : []);
  } catch (error) {
    console.error(error);
    counts = check(false);
  }
  // A runner that found no test has not passed.
  if (counts.passed + counts.failed === 0) counts = { ...counts, failed: 1 };
  const seconds = (performance.now() - started) / 1_000;
  console.log(`-- ${stage.name}: ${closingLine(counts)} in ${seconds.toFixed(1)} s`);
  return { stage, counts, seconds };
}

function sound({ counts, note }) {
  return counts.failed === 0 && note === undefined;
}

/** The stages, and all that they need. */
function withNeeds(chosen) {
  const all = new Set(chosen);
  for (const name of all) {
    for (const need of STAGES.find((stage) => stage.name === name).needs) all.add(need);
  }
  return all;
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const only = values.only.flatMap((text) => text.split(','));
    const unknown = only.filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new Error(`No stage is called ${unknown.join(', ')}.`);
    if (positionals.length > 0 && only.length !== 1) {
      throw new Error(`Further words (${positionals.join(' ')}) go to one stage: choose it with --only.`);
    }
    return { only, rest: positionals };
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}
