// A set: the value is serialised, compressed where the client does that, and stored with a ttl.

import assert from 'node:assert/strict';

/** One key in this many is read back after a slice. */
const EVERY = 16;

export const set = {
  what: 'set',
  run: (client, data, index) => client.set(data.keys[index], data.values[index], data.tags?.[index] ?? null),
  async verify(client, data, _, name) {
    for (let index = 0; index < data.keys.length; index += EVERY) {
      const key = data.keys[index];
      assert.deepEqual(await client.get(key), data.values[index], `${name} does not hold ${key}`);
    }
  },
};
