// Programs that a command of the benchmark runs in its own place: they write to its terminal, and what ends it ends them.
// And how a command ends that has servers.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** What runs now. */
let running;
let interrupted;

const codeOf = (signal) => 128 + constants.signals[signal];

/** An end by `process.exit`, at which servers and children are ended too (test-packages/servers.mjs, costs/in-child.mjs). */
export function endOnSignals() {
  for (const signal of SIGNALS) process.on(signal, () => process.exit(codeOf(signal)));
}

function forward(signal) {
  interrupted = signal;
  running?.kill(signal);
}

/** Runs a program to its end. A program that fails ends this process too, with its code. */
export async function must(command, args, cwd) {
  for (const signal of SIGNALS) {
    if (!process.listeners(signal).includes(forward)) process.on(signal, forward);
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
