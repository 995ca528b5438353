// The application's processes: its HTTP server, and `node ace`.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../servers.mjs';

const root = process.env.APP_ROOT;
/** Booting takes a second or two, on a loaded machine more. */
const START_MS = 20_000;
/** An ace command boots the application, does its work and must end by itself. */
const COMMAND_MS = 20_000;
/** After SIGTERM the server closes what it has open; longer would be a connection that keeps it alive. */
const STOP_MS = 5_000;

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @param {Record<string, string>} cache which store: `CACHE_REDIS`, `CACHE_MEMCACHED`, or none for process memory */
export async function startApp(cache) {
  const port = await freePort();
  const child = spawn(process.env.APP_NODE, ['bin/server.js'], {
    cwd: root,
    env: environment({ ...cache, HOST: '127.0.0.1', PORT: String(port) }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-20_000);
    });
  const request = async (method, path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    const body = await response.text();
    const json = response.headers.get('content-type')?.startsWith('application/json');
    return { status: response.status, body: json ? JSON.parse(body) : body };
  };
  const deadline = Date.now() + START_MS;
  for (;;) {
    const up = await request('GET', '/database').catch(() => undefined);
    if (up?.status === 200) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`The application did not start: ${said}`);
    }
    await sleep(50);
  }
  return {
    output: () => said,
    get: (path) => request('GET', path),
    put: (path) => request('PUT', path),
    delete: (path) => request('DELETE', path),
    /** Ends it as a deployment does. @returns its exit code, null if it had to be killed */
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const [code] = await gone;
      clearTimeout(timer);
      return code;
    },
  };
}

/** Runs `node ace …` to its end. */
export function ace(cache, ...words) {
  return new Promise((resolve) => {
    const options = { cwd: root, env: environment(cache), timeout: COMMAND_MS };
    execFile(process.env.APP_NODE, ['bin/console.js', ...words], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), said: stdout + stderr });
    });
  });
}

function environment(given) {
  const { CACHE_REDIS, CACHE_MEMCACHED, ...rest } = process.env;
  return { ...rest, NODE_ENV: 'test', NO_COLOR: '1', ...given };
}
