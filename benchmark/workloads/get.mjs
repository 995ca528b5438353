// A get of an entry that is there, alone or many at a time.

import assert from 'node:assert/strict';

function hit(value, data, index, name) {
  if (value === null || value === undefined) throw new Error(`${name}: ${data.keys[index]} is a miss.`);
}

function compared(_, data, sampled, name) {
  for (const [index, value] of sampled) {
    assert.deepEqual(value, data.values[index], `${name}: another value came back for ${data.keys[index]}`);
  }
}

export const get = {
  what: 'get',
  run: (client, data, index) => client.get(data.keys[index]),
  check: hit,
  verify: compared,
};

/** Hits so short that the clock would be most of what is seen are taken so many at a time, one after the other. */
const BURST = 50;

export const hits = {
  what: 'hit in process',
  per: BURST,
  inTurn: true,
  async run({ get }, { keys }, index) {
    let value;
    for (let i = 0; i < BURST; i++) {
      value = await get(keys[(index + i) % keys.length]);
      if (value === null || value === undefined) return undefined;
    }
    return value;
  },
  check: hit,
  verify: (_, data, sampled, name) =>
    compared(
      _,
      data,
      sampled.map(([index, value]) => [(index + BURST - 1) % data.keys.length, value]),
      name,
    ),
};

export const misses = {
  what: 'get of what is not there',
  run: (client, data, index) => client.get(data.absent[index]),
  check(value, data, index, name) {
    if (value !== null && value !== undefined) throw new Error(`${name} invents ${data.absent[index]}.`);
  },
};
