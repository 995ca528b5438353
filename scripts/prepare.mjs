// What the machine must have: programs on the PATH, which apt-get installs where it may, and packages.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { npm, root, run } from './run.mjs';

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(
    `Node.js 20 or later is needed, this is ${process.versions.node}. See https://nodejs.org/en/download`,
  );
  process.exit(1);
}

const ADVICE = {
  cargo: 'A Rust toolchain is needed. Install it from https://rustup.rs',
  cc: 'A C compiler is needed (zstd is C, and Rust links with it). On Debian: apt-get install build-essential',
};
/** Those whose package has their name on every system. */
const SERVERS = 'The tests start servers of their own. Install with apt-get, dnf or brew:';

export const TOOLS = process.platform === 'win32' ? ['cargo'] : ['cargo', 'cc'];

export const onPath = (name) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, process.platform === 'win32' ? `${name}.exe` : name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Whether all of these programs are there; says what to do about each that is not. */
export function provided(names, line = console.log, isThere = onPath) {
  const missing = names.filter((name) => !isThere(name));
  for (const name of missing) line(`${name}: not found. ${ADVICE[name] ?? `${SERVERS} ${name}`}`);
  return missing.length === 0;
}

/** The same, after apt-get has installed what is missing: as root, or where sudo asks no password. */
export async function provide(names, line = console.log, isThere = onPath) {
  const missing = names.filter((name) => !isThere(name));
  if (missing.length > 0 && existsSync('/usr/bin/apt-get')) {
    line(`Installing ${missing.join(' and ')} with apt-get`);
    // RUNLEVEL=1 keeps the packages from starting services of their own where sysvinit decides that.
    const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-q', '-y'];
    const [command, ...words] = process.getuid() === 0 ? apt : ['sudo', '-n', ...apt];
    for (const rest of [['update'], ['install', '--no-install-recommends', ...missing]])
      await run(command, [...words, ...rest], { line });
  }
  return provided(names, line, isThere);
}

/** `npm ci` in a folder, unless npm has finished an installation since the lock file was last written. */
export function install(folder = '.', line = console.log) {
  const written = (file) => statSync(join(root, folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (written('node_modules/.package-lock.json') >= written('package-lock.json')) return true;
  return npm(['ci', '--no-audit', '--no-fund'], { cwd: join(root, folder), line });
}
