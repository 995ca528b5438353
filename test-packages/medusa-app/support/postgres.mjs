// A Postgres of a run's own: in a temporary folder, on a free loopback port, ended by its process id.

import { execFileSync } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startServer } from '../../servers.mjs';

/** Debian keeps the server's programs off the PATH, in a folder of their version. */
const DEBIAN = '/usr/lib/postgresql';

const PROGRAMS = ['initdb', 'postgres', 'pg_isready', 'createdb'];

/** @returns {string | undefined} the folder that has all the programs needed, of the newest version there is */
export function postgresFolder() {
  let versions = [];
  try {
    versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((v) => join(DEBIAN, v, 'bin')),
  ];
  return folders.find((folder) => PROGRAMS.every((name) => isProgram(join(folder, name))));
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a server with no database of its own yet.
 *
 * `url` is its address, without one; `createDatabase(name, template)` makes one, as a copy of another if that is named.
 */
export async function startPostgres() {
  const programs = postgresFolder();
  if (programs === undefined)
    throw new Error(`No folder with ${PROGRAMS.join(', ')} found; on Debian: apt-get install postgresql`);
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-postgres-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const data = join(folder, 'data');
  const program = (name, args) =>
    execFileSync(join(programs, name), args, { cwd: folder, ...user, stdio: 'pipe' });
  try {
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
    program('initdb', ['-D', data, '-U', 'medusa', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
    const server = await startServer(join(programs, 'postgres'), {
      argumentsFor: (port) => [
        ...['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', ''],
        // Nothing here outlives the run, so nothing is flushed to the disk.
        ...['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'],
        // Whoever runs the tests waits for them in one call, and reads nothing of what the server writes.
        ...['-c', 'log_min_messages=fatal'],
      ],
      // It listens before it lets anybody in.
      isReady: (port) => accepts(program, port),
      // Its "fast shutdown": connections are cut, nothing is waited for.
      stopSignal: 'SIGINT',
      spawnOptions: { cwd: folder, ...user },
    });
    return {
      ...server,
      url: `postgres://medusa@127.0.0.1:${server.port}`,
      createDatabase(name, template) {
        const from = template === undefined ? [] : ['-T', template];
        program('createdb', ['-h', '127.0.0.1', '-p', String(server.port), '-U', 'medusa', ...from, name]);
      },
      async stop() {
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

function accepts(program, port) {
  try {
    program('pg_isready', ['-q', '-h', '127.0.0.1', '-p', String(port), '-U', 'medusa']);
    return true;
  } catch (error) {
    // It says "no" by its exit code; without one it did not run.
    if (error.status === null || error.status === undefined) throw error;
    return false;
  }
}

/** Postgres refuses to run as root: there it runs as the user that its package makes. */
function serverUser() {
  if (process.getuid?.() !== 0) return {};
  const id = (what) => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
