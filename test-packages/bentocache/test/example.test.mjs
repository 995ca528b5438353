// examples/bentocache, as it is, on every store; it ends by itself.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const { CACHE_REDIS, CACHE_MEMCACHED, ...environment } = process.env;
// Node finds packages from where a file lies, so it is run in here.
cpSync(path('../../../examples/bentocache'), path('../.built/example'), { recursive: true });

describe('the example', () => {
  for (const [kind, server] of Object.entries({
    memory: {},
    redis: { CACHE_REDIS },
    memcached: { CACHE_MEMCACHED },
  })) {
    it(`runs on ${kind}, with one read of the database for each clear`, () => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [path('../.built/example/products.mjs')],
        {
          env: { ...environment, ...server },
          encoding: 'utf8',
          timeout: 20_000,
        },
      );
      assert.equal(status, 0, stderr);
      assert.equal(stdout.match(/reads 1 from the database/g)?.length, 3, stdout);
      assert.match(stdout, /\{ id: '1', title: 'Mug 1' \} hello\n$/);
    });
  }
});
