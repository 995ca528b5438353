// Runs a module of this folder in a process of its own and takes the JSON that it prints last.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Opening a client, a moment of idleness and some seconds of work. */
const LIMIT_MS = 30_000;

const start = promisify(execFile);

/**
 * @param under a program, with its words, that Node.js is run by
 * @returns what it measured, or `{ reason }`
 */
export async function inChild(file, words, under = []) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  try {
    const [command, ...args] = [...under, process.execPath, '--expose-gc', path, ...words.map(String)];
    const ending = start(command, args, { timeout: LIMIT_MS });
    running.add(ending.child);
    const { stdout } = await ending.finally(() => running.delete(ending.child));
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch (error) {
    return { reason: reasonOf(error, under) };
  }
}

/** In words that can stand on the page: the command line, with the folders of this machine, is not among them. */
function reasonOf({ code, killed, stderr, message }, [over]) {
  if (code === 'ENOENT') return `${over} is not installed`;
  if (killed) return `it took longer than ${LIMIT_MS / 1_000} s`;
  const lines = (stderr ?? '').trim().split('\n');
  return lines.find((line) => /^\w*Error/.test(line)) ?? (lines.at(-1) || message.split('\n')[0]);
}
