// The release addon and dist/, built when their sources are newer. One release build serves the demo and the tests.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from './fingerprint.mjs';
import { root } from './root.mjs';
import { npm } from './run.mjs';

const STAMP = join(root, 'target', 'cachalot-build.json');

const PARTS = [
  {
    name: 'native',
    what: 'the native addon (release; the first time takes some minutes)',
    sources: ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src', '.cargo', 'rust-toolchain.toml'],
    outputs: () => ['index.js', 'index.d.ts', ...addons()],
    made: () => addons().length > 0,
  },
  {
    name: 'js',
    what: 'dist/',
    sources: ['js', 'index.d.ts', 'package.json', 'tsconfig.json', 'tsdown.config.ts', 'tsdown.config.mts'],
    outputs: () => ['dist'],
    made: () => existsSync(join(root, 'dist')),
  },
];

/** @returns {Promise<boolean>} false if a build failed */
export async function build() {
  for (const part of PARTS) {
    const before = { sources: fingerprint(part.sources), outputs: fingerprint(part.outputs()) };
    const known = stamps()[part.name];
    // Outputs too: a debug build, or a dist/ of another state, is not what was stamped.
    if (part.made() && known?.sources === before.sources && known.outputs === before.outputs) continue;
    console.log(`Building ${part.what}`);
    const { code } = await npm(['run', '--silent', `build:${part.name}`]);
    if (code !== 0) return false;
    stamp(part.name, { sources: before.sources, outputs: fingerprint(part.outputs()) });
  }
  return true;
}

function addons() {
  return readdirSync(root)
    .filter((name) => name.endsWith('.node'))
    .sort();
}

function stamps() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    return {};
  }
}

function stamp(name, value) {
  mkdirSync(join(root, 'target'), { recursive: true });
  writeFileSync(STAMP, `${JSON.stringify({ ...stamps(), [name]: value }, null, 2)}\n`);
}
