// The command line of `npm run bench`. No import beside Node's own and what a run consists of: it is read before anything
// is installed.

import { parseArgs } from 'node:util';
import { planOf } from './plan.mjs';
import { cellName } from './statistics.mjs';

export const HELP = `npm run bench                        all of it, some 20 minutes; writes docs/benchmarks/, docs/benchmarks.md and the
                                     README's region
npm run bench -- --quick             what the targets need, under three minutes; writes tmp/benchmark.json
npm run bench -- --only 'get 1 KB'   the cells whose name matches, and floors or costs; writes tmp/benchmark.json

  --quick         fewer cells, fewer and shorter rounds
  --only REGEXP   cells by name, in any case; with --quick, of those of a quick run
  --publish       a quick run is written to docs/ too, as a full one is
  --help          this text`;

/** @returns `{ quick, publish, help, only }`, `only` as a regular expression @throws if that cannot be run */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      publish: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
    },
  });
  if (values.only === undefined) return values;
  if (values.publish) throw new Error('--publish: a part of a run is not published. Leave out --only.');
  const only = new RegExp(values.only, 'i');
  const names = [...new Set(planOf(values.quick).cells.map(cellName)), 'floors', 'costs'];
  if (!names.some((name) => only.test(name)))
    throw new Error(`--only: "${values.only}" matches none of: ${names.join('; ')}.`);
  return { ...values, only };
}
