// Programs that a command of the benchmark runs in its own place: they write to its terminal, and what ends it ends them.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** What runs now. */
let running;
let interrupted;

function forward(signal) {
  interrupted = signal;
  running?.kill(signal);
}

/** Runs a program to its end. A program that fails ends this process too, with its code. */
export async function must(command, args, cwd) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    if (!process.listeners(signal).includes(forward)) process.on(signal, forward);
  }
  running = spawn(command, args, { cwd, stdio: 'inherit' });
  const { code, signal, error } = await new Promise((resolve) => {
    running.once('error', (error) => resolve({ code: 1, error }));
    running.once('exit', (code, signal) => resolve({ code, signal }));
  });
  running = undefined;
  if (interrupted) process.exit(128 + constants.signals[interrupted]);
  if (error) console.error(`${command}: ${error.message}`);
  if (signal) console.error(`${command} was ended by ${signal}.`);
  if (code !== 0) process.exit(code ?? 1);
}
