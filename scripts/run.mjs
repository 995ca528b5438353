// Child processes of the scripts: output shown as it comes, every line offered to a reader, and nothing left behind.

import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { root } from './root.mjs';

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
 * @param {{ cwd?: string, env?: Record<string, string>, line?: (line: string) => void, quiet?: boolean, silenceMs?: number }} [options]
 *   `line` gets every line of both outputs; `quiet` shows none of them; who prints nothing for `silenceMs` is ended.
 * @returns {Promise<{ code: number, missing: boolean }>} `code` is 1 where a signal ended it
 */
export function run(
  command,
  args,
  { cwd = root, env = {}, line, quiet = false, silenceMs = SILENCE_MS } = {},
) {
  return new Promise((resolve, reject) => {
    const grouped = process.platform !== 'win32';
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: grouped,
    });
    const entry = { child, grouped };
    running.add(entry);
    const hangs = setTimeout(() => {
      console.error(`${command} printed nothing for ${silenceMs / 1_000} s and is ended: it hangs.`);
      end(entry);
    }, silenceMs);
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      if (!quiet) from.pipe(to, { end: false });
      if (line) eachLine(from, line);
      from.on('data', () => hangs.refresh());
    }
    child.once('error', (error) => {
      running.delete(entry);
      clearTimeout(hangs);
      if (error.code === 'ENOENT') resolve({ code: 127, missing: true });
      else reject(error);
    });
    child.once('close', (code) => {
      running.delete(entry);
      clearTimeout(hangs);
      // Whatever it left in its group, a server of a crashed test for one, ends with it.
      signal(entry, 'SIGKILL');
      resolve({ code: code ?? 1, missing: false });
    });
  });
}

function eachLine(stream, line) {
  const decoder = new StringDecoder('utf8');
  let partial = '';
  stream.on('data', (chunk) => {
    const lines = (partial + decoder.write(chunk)).split(/\r?\n/);
    partial = lines.pop();
    for (const text of lines) line(text);
  });
  stream.on('end', () => {
    if (partial !== '') line(partial);
  });
}

/** Ends everything that `run` started and that still runs. */
export function stopAll() {
  for (const entry of running) end(entry);
}

function end(entry) {
  signal(entry, 'SIGTERM');
  setTimeout(() => signal(entry, 'SIGKILL'), GRACE_MS).unref();
}

function signal({ child, grouped }, name) {
  if (child.pid === undefined) return;
  try {
    if (grouped) process.kill(-child.pid, name);
    else child.kill(name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** npm, as the one that started us, or the one on the PATH. */
export function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args], options) : run('npm', args, options);
}
