// `npm ci`, when it has something to do.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from './fingerprint.mjs';
import { root } from './root.mjs';
import { npm } from './run.mjs';

/**
 * Installs a package's dependencies unless node_modules was made from this very lock file.
 *
 * @param {string} folder relative to the root, '.' for itself
 * @returns {Promise<boolean>} false if npm failed
 */
export async function install(folder = '.') {
  const stamp = join(root, folder, 'node_modules', '.cachalot-lock');
  // A lock file does not change with the version of Node, but which optional binaries it stands for may.
  const wanted = `${fingerprint([`${folder}/package-lock.json`])} ${process.platform} ${process.arch}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true;
  console.log(`Installing${folder === '.' ? '' : ` ${folder}`}: npm ci`);
  const { code } = await npm(['ci', '--no-audit', '--no-fund'], { cwd: join(root, folder) });
  if (code === 0) writeFileSync(stamp, wanted);
  return code === 0;
}
