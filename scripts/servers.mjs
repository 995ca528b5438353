// The servers of the tests: found, or installed where that needs no question, or asked for.

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { postgresFolder } from '../test-packages/medusa-app/support/postgres.mjs';
import { run } from './run.mjs';

/** By their Debian packages: whether a server is there, and what brings it elsewhere. */
const SERVERS = {
  'redis-server': { isThere: () => onPath('redis-server'), fedora: 'redis', brew: 'redis' },
  memcached: { isThere: () => onPath('memcached'), fedora: 'memcached', brew: 'memcached' },
  postgresql: {
    isThere: () => postgresFolder() !== undefined,
    fedora: 'postgresql-server',
    brew: 'postgresql',
  },
};

/** What most tests need. */
export const CACHES = ['redis-server', 'memcached'];

/** @param {Array<keyof typeof SERVERS>} wanted @returns {Promise<boolean>} whether all of them are there now */
export async function provideServers(wanted) {
  const absent = () => wanted.filter((name) => !SERVERS[name].isThere());
  if (absent().length > 0 && existsSync('/usr/bin/apt-get')) await aptInstall(absent());
  const missing = absent();
  if (missing.length === 0) return true;
  const from = (packages) => missing.map((name) => SERVERS[name][packages]).join(' ');
  console.error(
    `${missing.join(' and ')}: not found. The tests run against real servers. Install them:\n` +
      `  Debian, Ubuntu:  sudo apt-get install ${missing.join(' ')}\n` +
      `  Fedora:          sudo dnf install ${from('fedora')}\n` +
      `  macOS:           brew install ${from('brew')}\n` +
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
