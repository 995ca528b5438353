// The Caching Module before Medusa awaited its providers: whatever fails, the shop goes on.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A shop starts and ends within a few seconds; several times that is for a slow machine. */
const CHILD_MS = 90_000;

const failures = {
  down: 'a server that is down',
  full: 'a server that is full and refuses to store',
  forbidden: 'a server that lets us read alone, so that clears are refused too',
  large: 'a listing too large to store',
};

describe('with the Caching Module of Medusa 2.19 nothing ends the process:', () => {
  for (const [store, failure] of [
    ['redis', 'down'],
    ['redis', 'full'],
    ['redis', 'forbidden'],
    ['redis', 'large'],
    ['memcached', 'down'],
    ['memcached', 'large'],
    ['memory', 'large'],
  ]) {
    it(`${failures[failure]} (${store})`, async () => {
      const script = fileURLToPath(new URL('../support/outlast.mjs', import.meta.url));
      const child = spawn(process.execPath, [script, store, failure]);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          said += text;
        });
      }
      const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_MS);
      const [code, signal] = await once(child, 'close');
      clearTimeout(timer);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, said);
      assert.match(said, /^outlasted it$/m);
    });
  }
});
