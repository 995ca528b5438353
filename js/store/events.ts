/** What a store tells while nothing is returned. */
import { errorMessage } from '../shared/errors.js';

/** At most one event about text that is not JSON in this time. */
const CORRUPT_EVERY_MS = 60_000;

/** What a person may want to know while nothing is returned: once per change of state, not once per call. */
export type StoreEvent =
  /** A connection is ready (again). */
  | { type: 'connected'; server: string }
  /** A connection was lost or could not be made. */
  | { type: 'disconnected'; server: string; code: string; message: string }
  /** Anything else worth a line. */
  | { type: 'warning'; code: string; message: string };

/** The server refused credentials that change. */
export interface CredentialsRefused {
  type: 'credentialsRefused';
}

/** What came over a channel. */
export interface Message {
  type: 'message';
  channel: string;
  payload: string;
}

/** Counters of one store since it was opened. */
export type Stats = {
  /** Reads that found a value in the store. */
  hits: number;
  /** Reads answered by values kept in this process (option `l1`); none of them is among `hits`. */
  l1Hits: number;
  /** Values kept in this process now, and the bytes that they count for. */
  l1Entries: number;
  l1Bytes: number;
  misses: number;
  sets: number;
  /** Sets that a clear since their miss made too old, or a set since what a `getOrSet` found: nothing was stored. */
  rejectedWrites: number;
  /** Sets that no miss guarded: only as fresh as their caller. */
  unguardedSets: number;
  clears: number;
  /** Entries found past their expiry. */
  expired: number;
  /** Entries found with a tag cleared since. */
  invalidated: number;
  /** Entries found stale: past their freshness, or cleared automatically, and kept for their grace. */
  stale: number;
  /** Stored bytes that did not decode, each a miss. */
  corrupt: number;
  /** Errors that say the server is away or too slow. */
  outages: number;
  /** Any other error. */
  errors: number;
  /** Entries removed by background reclaiming. */
  reclaimed: number;
  /** Clears that pushed tags out of Redis' full clear log which living entries may have needed: those became misses. */
  logOverflows: number;
  /** Locks had. */
  locks: number;
  /** Locks that another owner had. */
  locksRefused: number;
  /** Bytes of values given to set. */
  bytesIn: number;
  /** Bytes kept of them, after compression and with their envelope. */
  bytesStored: number;
};

export function telling(onEvent: ((event: StoreEvent) => void) | undefined): (event: StoreEvent) => void {
  return (event) => {
    try {
      onEvent?.(event);
    } catch (error) {
      // A listener's defect must not cost the answers that travel with the event, nor end the process.
      process.emitWarning(`A listener of a store's events threw: ${errorMessage(error)}`, 'CachalotWarning');
    }
  };
}

export function corruptions(tell: (event: StoreEvent) => void): (why: unknown) => void {
  let quietUntil = 0;
  return (why) => {
    const now = performance.now();
    if (now >= quietUntil) {
      quietUntil = now + CORRUPT_EVERY_MS;
      const message = `A stored value is not JSON (${errorMessage(why)}). It counts as a miss; the next set replaces it.`;
      tell({ type: 'warning', code: 'CACHALOT_CORRUPT', message });
    }
  };
}
