// Runs child.mjs and takes the JSON that it prints last.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Opening a client, a moment of idleness and some seconds of work. */
const LIMIT_MS = 30_000;

const file = fileURLToPath(new URL('child.mjs', import.meta.url));
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @returns what was measured, or `{ reason }` */
export async function inChild(what, words) {
  try {
    const args = ['--expose-gc', file, what, ...words.map(String)];
    const ending = promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
    running.add(ending.child);
    const { stdout } = await ending.finally(() => running.delete(ending.child));
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch ({ killed, stderr, message }) {
    if (killed) return { reason: `it took longer than ${LIMIT_MS / 1_000} s` };
    // Without the command line and the folders of this machine.
    const lines = (stderr ?? '').trim().split('\n');
    return {
      reason: lines.find((line) => /^\w*Error/.test(line)) ?? (lines.at(-1) || message.split('\n')[0]),
    };
  }
}
