// The example of `createCache`, run as its reader runs it: over the built package.

import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { runNode } from '../support/processes.js';

const { redis, memcached } = inject('servers');

it.each<[string, string[]]>([
  ['memory', []],
  ['redis', [redis.url]],
  ['memcached', memcached.slice(0, 1)],
])('examples/cache runs on %s', async (_, args) => {
  const { code, stdout, stderr } = await runNode(join(__dirname, '../../examples/cache/main.mjs'), { args });
  // Servers are connected to behind: the logger's line comes in between.
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('[cachalot] Connected to '));
  expect({ code, stderr, lines: lines.slice(0, 6) }).toEqual({
    code: 0,
    stderr: '',
    lines: [
      '50 callers at once: 1 query',
      "read again: { id: '42', title: 'Mug', stock: 99 }",
      "expired, so served stale while a new one is made: { id: '42', title: 'Mug', stock: 99 }",
      "made meanwhile: { id: '42', title: 'Mug', stock: 98 } 2 queries",
      'after a clear by tag: undefined',
      'after a clear of the namespace: undefined',
    ],
  });
  expect(lines.slice(6).join(' ')).toMatch(/hits: \d+,\s+misses: \d+,\s+staleHits: 1,/);
});
