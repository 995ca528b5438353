// Servers of a run's own for the packages outside the main install: on free loopback ports, without persistence, ended
// by their process ids.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A server on this machine answers well within this; longer means that it did not start. */
const START_MS = 10_000;
/** A server that ignores the signal to stop this long is killed. */
const STOP_MS = 3_000;

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts redis-server, on a free port unless one is named. 512 MB is several times what the largest data set needs. */
export const startRedis = (port) =>
  startServer('redis-server', {
    port,
    argumentsFor: (port) => [
      ...['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'],
      ...['--maxmemory', '512mb', '--daemonize', 'no'],
    ],
  });

/** Starts memcached, on a free port unless one is named, with the usual limit of 1 MB an item. */
export const startMemcached = (port) =>
  startServer('memcached', {
    port,
    argumentsFor: (port) => [
      ...['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '512'],
      // memcached refuses to run as root unless a user is named.
      ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []),
    ],
  });

/** `redis-server 7.0.15`, as it says of itself without the particulars of its build. */
export function serverVersion(binary) {
  const said = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  return `${binary} ${/\d+(?:\.\d+)+/.exec(said)?.[0] ?? 'of unknown version'}`;
}

/**
 * Starts any other server.
 *
 * @param {string} binary
 * @param {object} options
 * @param {number} [options.port] @default a free one
 * @param {(port: number) => string[]} options.argumentsFor
 * @param {(port: number) => boolean | Promise<boolean>} [options.isReady] @default that it takes connections
 * @param {NodeJS.Signals} [options.stopSignal]
 * @param {import('node:child_process').SpawnOptions} [options.spawnOptions] a user, a folder
 */
export async function startServer(
  binary,
  { port: wanted, argumentsFor, isReady = answers, stopSignal = 'SIGTERM', spawnOptions = {} },
) {
  const port = wanted ?? (await freePort());
  const child = spawn(binary, argumentsFor(port), { ...spawnOptions, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint = (complaint + text).slice(-2_000);
  });
  let ended = null;
  child.once('error', (error) => {
    ended =
      error.code === 'ENOENT'
        ? `${binary} is not installed; on Debian: apt-get install ${binary}`
        : error.message;
  });
  child.once('exit', (code, signal) => {
    running.delete(child);
    ended ??= `it ended with ${signal ?? code}`;
  });
  running.add(child);
  const deadline = Date.now() + START_MS;
  while (!(await isReady(port))) {
    if (ended === null && Date.now() > deadline) ended = `it did not answer within ${START_MS} ms`;
    if (ended !== null) {
      child.kill('SIGKILL');
      throw new Error(`${binary} did not start on port ${port}: ${ended}. ${complaint}`.trim());
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, pid: child.pid, stop: () => stop(child, stopSignal) };
}

async function stop(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** A port that nothing listens on at this moment. */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
