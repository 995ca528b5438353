/** Whether the server answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Duration } from '../options/duration.js';
import { isOutage } from '../shared/errors.js';
import type { Core } from './core.js';

export interface ReadyOptions {
  /** How long to wait for the first answer. @default '10s' */
  timeout?: Duration | undefined;
}

export const READY: Duration = '10s';

/** Between two attempts: a server that has just started is found soon, and one that is away is asked seldom. */
const PAUSE_MS = 100;

/** No cache, and nobody else of this prefix, stores under it: keys are not empty. */
const NO_KEY = '';

export async function ping(core: Core): Promise<void> {
  core.open();
  try {
    // Not by L1, and not counted as a read of the cache.
    await core.store.has(NO_KEY);
  } catch (error) {
    core.telemetry.failed(error);
    throw error;
  }
}

/** @param ms how long at most */
export async function ready(core: Core, ms: number): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    try {
      await ping(core);
      return;
    } catch (error) {
      const left = end - performance.now();
      if (!isOutage(error) || left <= 0) {
        throw error;
      }
      await sleep(Math.min(PAUSE_MS, left));
    }
  }
}
