// index.js, index.d.ts and npm/ are generated from src/binding and package.json, and committed. Here they are made
// again in a temporary folder and compared with what was there before any build of this run rewrote them.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './root.mjs';
import { run } from './run.mjs';

const NATIVE = ['index.js', 'index.d.ts'];
const napi = (args) => run(process.execPath, [join(root, 'node_modules/@napi-rs/cli/dist/cli.js'), ...args]);

/** As they stood when the run began: the build stage writes over them. */
const before = new Map([
  ...NATIVE.map((name) => [name, textOf(join(root, name))]),
  ...filesIn(join(root, 'npm')).map((name) => [`npm/${name}`, textOf(join(root, 'npm', name))]),
]);

/** @returns {Promise<boolean>} false with each difference told */
export async function generatedFilesAreCurrent() {
  // Inside the project: the generator writes nowhere else.
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, 'tmp', 'drift-'));
  try {
    // Nothing is compiled twice: cargo's output of the build stage is current.
    if ((await napi(['build', '--platform', '--release', '--output-dir', folder])).code !== 0) return false;
    if ((await napi(['create-npm-dirs', '--npm-dir', relative(root, join(folder, 'npm'))])).code !== 0)
      return false;
    const after = new Map([
      ...NATIVE.map((name) => [name, textOf(join(folder, name))]),
      ...filesIn(join(folder, 'npm')).map((name) => [`npm/${name}`, textOf(join(folder, 'npm', name))]),
    ]);
    const stale = [...new Set([...before.keys(), ...after.keys()])].filter(
      (name) => before.get(name) !== after.get(name),
    );
    for (const name of stale) {
      const how =
        after.get(name) === undefined ? 'is not generated any more' : 'is not what is generated now';
      console.error(`${name} ${how}. Run \`npm run generate\` and commit the result.`);
    }
    return stale.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function textOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined;
}

/** Paths under a folder, relative to it; none if it does not exist. */
function filesIn(folder, base = folder) {
  if (!statSync(folder, { throwIfNoEntry: false })) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path, base) : [relative(base, path)];
  });
}
