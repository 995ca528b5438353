// Imported by commands that have servers: a signal ends them by `process.exit`, at which servers and children are ended too.

import { constants } from 'node:os';
import { stopAll } from '../scripts/run.mjs';

/** npm passes a signal to the shell between it and this process alone: all that is seen of it here is that the shell is gone. */
const PARENT_EVERY_MS = 500;

const end = (signal) => {
  stopAll();
  process.exit(128 + constants.signals[signal]);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(signal));

// Without npm a parent may go for other reasons.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end('SIGTERM'), PARENT_EVERY_MS).unref();
}
