// `npm ci`, when it has something to do.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';
import { npm } from './run.mjs';

/**
 * Installs a package's dependencies unless node_modules holds just what its lock file names.
 *
 * @param {string} folder relative to the root, '.' for itself
 * @returns {Promise<boolean>} false if npm failed
 */
export async function install(folder = '.') {
  if (isInstalled(folder)) return true;
  console.log(`Installing${folder === '.' ? '' : ` ${folder}`}: npm ci`);
  const { code } = await npm(['ci', '--no-audit', '--no-fund'], { cwd: join(root, folder) });
  return code === 0;
}

/** By the list of what is there that npm keeps in node_modules. */
function isInstalled(folder) {
  const [locked, there] = ['package-lock.json', 'node_modules/.package-lock.json'].map((file) => {
    try {
      return JSON.parse(readFileSync(join(root, folder, file), 'utf8')).packages;
    } catch {
      return undefined;
    }
  });
  // A test package has the packed project beside what its lock file names.
  return locked !== undefined && there !== undefined && agrees(locked, there, folder !== '.');
}

/** Whether what is there is what a lock file names, both as its `packages`. @param {boolean} orMore whether more may be there */
export function agrees(locked, there, orMore = false) {
  const isThere = ([path, { version, integrity, ...needs }]) =>
    path in there
      ? there[path].version === version && there[path].integrity === integrity
      : needs.optional === true && !isForHere(needs);
  return (
    (orMore || Object.keys(there).every((path) => path in locked)) &&
    Object.entries(locked).every((one) => one[0] === '' || isThere(one))
  );
}

/** Whether an optional package is surely one for this platform: which C library it is for is not looked at. */
function isForHere({ os, cpu, libc }) {
  return (
    libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) === true
  );
}
