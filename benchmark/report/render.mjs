// From docs/benchmarks/results.json to docs/benchmarks.md, docs/benchmarks/chart.svg and the README's region:
//   node benchmark/report/render.mjs

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.mjs';
import { page } from './page.mjs';
import { readme } from './readme.mjs';

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name) => readFileSync(path(name), 'utf8');

function documents() {
  const results = JSON.parse(read('docs/benchmarks/results.json'));
  return [
    ['docs/benchmarks.md', page(results)],
    ['docs/benchmarks/chart.svg', chart(results)],
    ['README.md', readme(read('README.md'), results)],
  ];
}

export function renderAll() {
  for (const [name, text] of documents()) writeFileSync(path(name), text);
}

/** Names of documents that are not what the results say. */
export const stale = () => documents().flatMap(([name, text]) => (read(name) === text ? [] : [name]));

if (process.argv[1] === fileURLToPath(import.meta.url)) renderAll();
