// Runs the examples as a person would: programs of their own, in a folder where their packages are found.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';

const built = fileURLToPath(new URL('../.built/examples/', import.meta.url));

/** What tells an example which store to use; none = process memory. */
export const ENVIRONMENTS = {
  memory: () => ({}),
  redis: () => ({ REDIS_URL: `redis://127.0.0.1:${inject('ports').redis}` }),
  memcached: () => ({ MEMCACHED_SERVER: `127.0.0.1:${inject('ports').memcached}` }),
};

/** Starts a file of an example. It ends with the test if it does not end by itself. */
export function start(file, environment) {
  const child = spawn(process.execPath, [`${built}${file}`], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const program = { child, output: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    program.output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    program.errors += text;
  });
  program.ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  return program;
}
