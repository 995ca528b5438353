// The addon itself, without the batcher: what child processes and worker threads of the tests speak.

import { createRequire } from 'node:module';

export const addon = createRequire(import.meta.url)('../../index.js');

/** @returns {Uint32Array} `count` gets of keys of one letter */
export function gets(count) {
  return new Uint32Array(Array.from({ length: count }, () => [1, 1]).flat());
}

export function redisOn(port, commandMs) {
  const timeouts = { connectMs: commandMs, commandMs };
  const endpoint = { host: '127.0.0.1', port };
  return JSON.stringify({ prefix: 'native', backend: { type: 'redis', endpoint, timeouts } });
}
