// The command line of `npm run bench`. No import beside Node's own and what a run consists of: it is read before anything
// is installed.

import { parsed, refusal } from './command-line.mjs';
import { planOf } from './plan.mjs';
import { cellName } from './statistics.mjs';

/** More would take days. */
const MOST_ROUNDS = 1_000;

/** What `--only` may name beside cells. */
const PARTS = ['floors', 'costs'];

/** Names shown where `--only` matched none. */
const SHOWN = 6;

const HELP = `npm run bench                        all of it, some 20 minutes; writes docs/benchmarks/, docs/benchmarks.md and the
                                     README's region
npm run bench -- --quick             what the targets need, under three minutes; writes tmp/benchmark.json
npm run bench -- --only 'get 1 KB'   the cells whose name matches, and ${PARTS.join(' or ')}; writes tmp/benchmark.json

  --quick         fewer cells, fewer and shorter rounds
  --only REGEXP   cells by name, in any case; with --quick, of those of a quick run
  --rounds N      rounds of each cell, 1 to ${MOST_ROUNDS}; writes tmp/benchmark.json
  --publish       a quick run is written to docs/ too, as a full one is
  --help          this text`;

/**
 * @param {string[]} argv
 * @returns {{ quick: boolean, publish: boolean, only?: RegExp, rounds?: number } | { help: string } | { error: string }}
 */
export function readOptions(argv) {
  try {
    const { help, quick, publish, ...values } = parsed(argv, {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      publish: { type: 'boolean', default: false },
    });
    if (help) return { help: HELP };
    if (publish && (values.only !== undefined || values.rounds !== undefined)) {
      throw new Error('--publish: a run with --only or --rounds is not published, it is not all of it.');
    }
    return {
      quick,
      publish,
      ...(values.only !== undefined && { only: matching(values.only, quick) }),
      ...(values.rounds !== undefined && { rounds: whole('--rounds', values.rounds, 1, MOST_ROUNDS) }),
    };
  } catch (error) {
    return { error: refusal(error) };
  }
}

function matching(text, quick) {
  let only;
  try {
    only = new RegExp(text, 'i');
  } catch (error) {
    throw new Error(`--only: expected a regular expression: ${error.message}.`);
  }
  const names = [...new Set(planOf(quick).cells.map(cellName)), ...PARTS];
  if (!names.some((name) => only.test(name))) {
    const some = [...names.slice(0, SHOWN), '...', ...PARTS].map((name) =>
      name === '...' ? name : `"${name}"`,
    );
    throw new Error(`--only: "${text}" matches none of the ${names.length} names: ${some.join(', ')}.`);
  }
  return only;
}

function whole(name, text, from, to) {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || number < from || number > to) {
    throw new Error(`${name}: expected a whole number from ${from} to ${to}, got "${text}".`);
  }
  return number;
}
