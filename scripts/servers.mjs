// redis-server and memcached for the tests: found, or installed where that needs no question, or asked for.

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './run.mjs';

/** Program, and the Debian package that brings it. */
const NEEDED = { 'redis-server': 'redis-server', memcached: 'memcached' };

/** @returns {Promise<boolean>} whether both are on the PATH now */
export async function provideServers() {
  let missing = Object.keys(NEEDED).filter((name) => !onPath(name));
  if (missing.length > 0 && existsSync('/usr/bin/apt-get')) {
    await aptInstall(missing.map((name) => NEEDED[name]));
    missing = missing.filter((name) => !onPath(name));
  }
  if (missing.length === 0) return true;
  console.error(
    `${missing.join(' and ')}: not found on the PATH. The tests run against real servers. Install them:\n` +
      '  Debian, Ubuntu:  sudo apt-get install redis-server memcached\n' +
      '  Fedora:          sudo dnf install redis memcached\n' +
      '  macOS:           brew install redis memcached\n' +
      'They need not run: the tests start their own on free ports.',
  );
  return false;
}

/** As root, or where sudo asks no password. A failure is not the end here: the caller looks again. */
async function aptInstall(packages) {
  const become = process.getuid() === 0 ? [] : ['sudo', '-n'];
  if (become.length > 0 && (await run('sudo', ['-n', 'true'], { quiet: true })).code !== 0) return;
  console.log(`Installing ${packages.join(' and ')} with apt-get`);
  // RUNLEVEL=1 keeps the packages from starting services of their own where sysvinit decides that.
  const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-q', '-y'];
  for (const rest of [['update'], ['install', '--no-install-recommends', ...packages]]) {
    const [command, ...args] = [...become, ...apt, ...rest];
    await run(command, args);
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
