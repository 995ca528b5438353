// Where results go: a quick or partial run to tmp/, a published one to docs/benchmarks/, with the page, the chart and the
// README's region made from the same text.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderAll } from './render.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The commit measured; a packed copy of the project has none. A change that is not committed shows. */
export function commit() {
  const git = (...args) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'js', 'Cargo.toml') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

export function write(results, { publish }) {
  const text = `${JSON.stringify(results, rounded, 1)}\n`;
  const folder = publish ? 'docs/benchmarks' : 'tmp';
  mkdirSync(`${root}${folder}`, { recursive: true });
  const file = `${folder}/${publish ? 'results' : 'benchmark'}.json`;
  writeFileSync(`${root}${file}`, text);
  console.log(`Written: ${file}`);
  if (publish) renderAll();
}

/** Four significant digits: more would only be noise in the file's history. */
function rounded(_, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
