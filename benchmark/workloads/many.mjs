// A hundred keys at once: as one call, and as a hundred calls of one turn.

import assert from 'node:assert/strict';

const COUNT = 100;

/** The hundred keys from `index` on, round and round. */
const chosen = ({ keys }, index) => Array.from({ length: COUNT }, (_, i) => keys[(index + i) % keys.length]);

const shared = {
  per: COUNT,
  check(values, data, index, name) {
    for (const [at, value] of values.entries()) {
      if (value === null || value === undefined)
        throw new Error(`${name}: ${chosen(data, index)[at]} is a miss.`);
    }
  },
  verify(_, data, sampled, name) {
    for (const [index, values] of sampled) {
      const expected = Array.from({ length: COUNT }, (_, i) => data.values[(index + i) % data.values.length]);
      assert.deepEqual(values, expected, `${name}: other values came back`);
    }
  },
};

export const getMany = {
  ...shared,
  what: 'getMany(100)',
  needs: 'getMany',
  run: (client, data, index) => client.getMany(chosen(data, index)),
};

export const allOf = {
  ...shared,
  what: 'Promise.all of 100 gets',
  run: (client, data, index) => Promise.all(chosen(data, index).map((key) => client.get(key))),
};
