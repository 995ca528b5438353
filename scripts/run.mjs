// Child processes of the scripts: every line of output goes to a reader, silence ends them, and nothing is left behind.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(`Node.js 20 or later is needed, this is ${process.versions.node}.`);
  process.exit(1);
}

/** The folder of package.json. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** After SIGTERM a program has this long to end its own children; then its whole process group is killed. */
const GRACE_MS = 5_000;

/** A program that prints nothing for this long hangs. The longest silence of a stage that works is a release build: some 5 minutes. */
const SILENCE_MS = 10 * 60_000;

const running = new Set();

/**
 * Runs a program to its end. On POSIX it leads a process group of its own, so that what it started can be ended too.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, line?: (line: string) => void, silenceMs?: number }} [options] `line` gets every line of both
 *   outputs, by default to print it; a program that prints nothing for `silenceMs` is ended
 * @returns {Promise<boolean>} whether it succeeded
 */
export function run(command, args, { cwd = root, line = console.log, silenceMs = SILENCE_MS } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    });
    running.add(child);
    const silence = setTimeout(() => {
      line(`${command} printed nothing for ${silenceMs / 1_000} s and is ended: it hangs.`);
      end(child);
    }, silenceMs);
    for (const input of [child.stdout, child.stderr]) {
      input.on('data', () => silence.refresh());
      createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line);
    }
    child.once('error', (error) => line(`${command}: ${error.message}`));
    child.once('close', (code) => {
      running.delete(child);
      clearTimeout(silence);
      // Whatever it left in its group, the server of a crashed test for one, ends with it.
      signal(child, 'SIGKILL');
      resolve(code === 0);
    });
  });
}

/** npm, as the one that started this process, or the one on the PATH. */
export function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args], options) : run('npm', args, options);
}

/** Ends everything that `run` started and that still runs. */
export function stopAll() {
  for (const child of running) end(child);
}

function end(child) {
  signal(child, 'SIGTERM');
  setTimeout(() => signal(child, 'SIGKILL'), GRACE_MS).unref();
}

function signal({ pid }, name) {
  try {
    if (pid !== undefined) process.kill(process.platform === 'win32' ? pid : -pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
