// From docs/benchmarks/results.json to docs/benchmarks.md, docs/benchmarks/chart.svg and the README's region.
//
//   node benchmark/report/render.mjs            writes them anew
//   node benchmark/report/render.mjs --check    fails if the page or the region is not what the file of results says

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { page } from './page.mjs';
import { readme } from './readme.mjs';

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name) => readFileSync(path(name), 'utf8');

/** Without the chart: its library is a package of the benchmark's, and the check needs none. */
function documents(results) {
  return [
    ['docs/benchmarks.md', page(results)],
    ['README.md', readme(read('README.md'), results)],
  ];
}

const results = () => JSON.parse(read('docs/benchmarks/results.json'));

export async function renderAll() {
  const seen = results();
  for (const [name, text] of documents(seen)) writeFileSync(path(name), text);
  const { chart } = await import('./chart.mjs');
  writeFileSync(path('docs/benchmarks/chart.svg'), await chart(seen));
  console.log('Written: docs/benchmarks.md, docs/benchmarks/chart.svg, README.md');
}

/** Names of documents that are not what the results say. */
export function stale() {
  return documents(results())
    .filter(([name, text]) => read(name) !== text)
    .map(([name]) => name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--check')) {
    await renderAll();
  } else {
    const wrong = stale();
    for (const name of wrong) {
      console.error(
        `${name} is not what docs/benchmarks/results.json says. Run: node benchmark/report/render.mjs`,
      );
    }
    if (wrong.length > 0) process.exit(1);
  }
}
