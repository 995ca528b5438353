// What Medusa's Caching Module has in hand: by its own hooks for tracing, so that a test waits for what is under way and
// for nothing longer.

import { setImmediate } from 'node:timers/promises';

/**
 * Follows the sets and clears of every Caching Module of this process.
 *
 * @param {Function} Service the module's class
 */
export function traceCaching(Service) {
  const pending = new Set();
  const failures = [];
  const clears = [];
  const follow = (work) => {
    pending.add(work);
    work.catch((error) => failures.push(error)).finally(() => pending.delete(work));
    return work;
  };
  Service.traceSet = (set) => follow(set());
  Service.traceClear = (clear, _key, tags) => {
    clears.push(tags);
    return follow(clear());
  };
  return {
    /** The tags of each clear so far. */
    clears,
    /**
     * Waits for the end of all sets and clears that were begun, also by an event that was emitted just now: from the bus
     * to the module it takes microtasks alone.
     * @throws what the provider rejected with, if it did
     */
    async settled() {
      await setImmediate();
      while (pending.size > 0) await Promise.allSettled(pending);
      const [failure] = failures.splice(0);
      if (failure !== undefined) throw failure;
    },
  };
}
