// Programs that a command of the benchmark runs in its own place: they write to its terminal, and what ends it ends them.
// And how a command ends that has servers.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** What runs now. */
let running;
let interrupted;

const codeOf = (signal) => 128 + constants.signals[signal];

/**
 * npm tells a signal to the shell between it and this process, and to nobody else: that the shell is gone is all that is
 * seen of it. Without npm a parent may go for other reasons.
 */
const PARENT_EVERY_MS = 500;

function onSignals(heard) {
  for (const signal of SIGNALS) process.on(signal, () => heard(signal));
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    heard('SIGTERM');
  }, PARENT_EVERY_MS);
  watch.unref();
}

/** An end by `process.exit`, at which servers and children are ended too (test-packages/servers.mjs, costs/in-child.mjs). */
export function endOnSignals() {
  onSignals((signal) => process.exit(codeOf(signal)));
}

let listens = false;

/** Runs a program to its end. A program that fails ends this process too, with its code. */
export async function must(command, args, cwd) {
  if (!listens) {
    listens = true;
    onSignals((signal) => {
      interrupted = signal;
      if (running === undefined) process.exit(codeOf(signal));
      running.kill(signal);
    });
  }
  running = spawn(command, args, { cwd, stdio: 'inherit' });
  const { code, signal, error } = await new Promise((resolve) => {
    running.once('error', (error) => resolve({ code: 1, error }));
    running.once('exit', (code, signal) => resolve({ code, signal }));
  });
  running = undefined;
  if (interrupted) process.exit(codeOf(interrupted));
  if (error) console.error(`${command}: ${error.message}`);
  if (signal) console.error(`${command} was ended by ${signal}.`);
  if (code !== 0) process.exit(code ?? 1);
}
