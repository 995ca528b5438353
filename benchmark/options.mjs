// The command line of `npm run bench`. No import beside Node's own and what a run consists of: it is read before anything
// is installed.

import { parsed, refusal } from './command-line.mjs';
import { planOf } from './plan.mjs';
import { cellName } from './statistics.mjs';

/** More would take days. */
const MOST_ROUNDS = 1_000;

/** Four times what was reported (medusajs/medusa#16474); more do not fit into the server's memory. */
const MOST_LISTINGS = 700_000;

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
  --listings N    of the shop: how many listings have expired before the event; writes tmp/benchmark.json
  --most-tags N   of the shop: at most so many tags of an entry or a clear; writes tmp/benchmark.json
  --publish       a quick run is written to docs/ too, as a full one is
  --help          this text`;

/**
 * @param {string[]} argv
 * @returns {{ quick: boolean, publish: boolean, only?: RegExp, rounds?: number, listings?: number, mostTags?: number } | { help: string } | { error: string }}
 */
export function readOptions(argv) {
  try {
    const { help, quick, publish, words, only, ...numbers } = parsed(argv, {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      listings: { type: 'string' },
      'most-tags': { type: 'string' },
      publish: { type: 'boolean', default: false },
    });
    if (help) return { help: HELP };
    if (publish && (only !== undefined || Object.keys(numbers).length > 0)) {
      throw new Error(
        '--publish: a run that is not all of it is not published. Leave out --only and what has a number.',
      );
    }
    const asked = { quick, publish };
    const number = (field, name, most) => {
      if (numbers[name] !== undefined) asked[field] = whole(`--${name}`, numbers[name], 1, most);
    };
    number('rounds', 'rounds', MOST_ROUNDS);
    number('listings', 'listings', MOST_LISTINGS);
    number('mostTags', 'most-tags', Number.MAX_SAFE_INTEGER);
    return only === undefined ? asked : { ...asked, only: matching(only, asked) };
  } catch (error) {
    return { error: refusal(error) };
  }
}

function matching(text, { quick, ...sizes }) {
  let only;
  try {
    only = new RegExp(text, 'i');
  } catch (error) {
    throw new Error(`--only: expected a regular expression: ${error.message}.`);
  }
  const names = [...new Set(planOf(quick, sizes).cells.map(cellName)), ...PARTS];
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
