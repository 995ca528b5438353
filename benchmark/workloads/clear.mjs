// The clear of one tag that a number of entries carry. Not a slice: entries are written first, then one clear is timed.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { clocks } from '../measure.mjs';

/** Sets under way at once while the entries are written. */
const WRITERS = 128;
/** The collector sweeps on other threads after it has answered; a clear of some microseconds would be timed beside that. */
const SWEEP_MS = 50;
/** What a client does behind a clear, reclaiming for one, is to be over before the next one's turn. */
const SETTLE_MS = 300;

/** Every clear has a tag of its own: what an older one left would be counted with it. */
let clears = 0;

export const clear = {
  what: 'clear of a tag',
  needs: 'clear',
  async once({ client, name }, { entries, values, prefix }, serverPid) {
    const tag = `team:${++clears}`;
    const looked = new Set([0, entries >> 1, entries - 1]);
    // Keys come again, for the server's memory; but those that are read have names of their own each time, for a read
    // that misses may decide what becomes of the next set.
    const keyOf = (index) => `${prefix}clear:${looked.has(index) ? `${clears}:` : ''}${index}`;
    let next = 0;
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        while (next < entries) {
          const index = next++;
          await client.set(keyOf(index), values[index % values.length], [tag]);
        }
      }),
    );
    for (const index of looked) {
      assert.ok(await client.get(keyOf(index)), `${name} does not hold ${keyOf(index)}`);
    }
    globalThis.gc?.();
    await pause(SWEEP_MS);
    const used = clocks(serverPid);
    await client.clear(tag);
    const figures = used(1);
    for (const index of looked) {
      assert.equal((await client.get(keyOf(index))) ?? null, null, `${name} still holds ${keyOf(index)}`);
    }
    await pause(SETTLE_MS);
    return { ...figures, p50: figures.seconds * 1_000, p99: figures.seconds * 1_000 };
  },
};
