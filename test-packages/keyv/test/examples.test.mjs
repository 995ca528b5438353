// The examples without a server of their own, as they are, on every store.

import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS, start } from '../support/programs.mjs';

describe.each(Object.entries(ENVIRONMENTS))('on %s', (kind, environment) => {
  it('examples/keyv', async () => {
    const program = start('keyv/main.mjs', environment());
    expect([await program.ended, program.errors]).toEqual([0, '']);
    expect(program.output.trim().split('\n')).toEqual([
      "user 1: { name: 'Ada' }",
      "products 1, 2, 3: [ { title: 'Mug' }, { title: 'Bowl' }, undefined ]",
      ...(kind === 'memcached' ? [] : ["all products: [ '1 Mug', '2 Bowl' ]"]),
      'products after the clear: [ undefined, undefined ]',
      "users after the clear: { name: 'Ada' }",
    ]);
  });

  it('examples/cache-manager', async () => {
    const program = start('cache-manager/main.mjs', environment());
    expect([await program.ended, program.errors]).toEqual([0, '']);
    expect(program.output.trim().split('\n')).toEqual([
      "computed: { title: 'Mug', query: 1 }",
      "cached: { title: 'Mug', query: 1 }",
      "served while it is refreshed: { title: 'Mug', query: 1 }",
      "refreshed: { title: 'Mug', query: 2 }",
      'many: [ 1, 2, undefined ]',
      'after del: [ undefined, 2 ]',
      'after clear: undefined',
    ]);
  });
});
