// Hashes of sources and outputs: what decides whether there is anything to do.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

/**
 * SHA-256 over names and contents of files, and of all files in folders; what does not exist counts as such.
 *
 * @param {readonly string[]} paths relative to the root
 */
export function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths) add(hash, path);
  return hash.digest('hex');
}

function add(hash, path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false });
  hash.update(`${path}\0`);
  if (!stat) {
    hash.update('absent\0');
  } else if (stat.isDirectory()) {
    for (const name of readdirSync(join(root, path)).sort()) add(hash, `${path}/${name}`);
  } else {
    hash.update(`${stat.size}\0`).update(readFileSync(join(root, path)));
  }
}
