/** Which failures of a store count as a miss: a cache may miss, but what the caller must mend is thrown on. */
import { CachalotError, type ErrorCode, isOutage } from './errors.js';
import type { OutageLog } from './outage-log.js';

/** The caller's to mend. Arguments are checked before the store is asked, so its `CACHALOT_CONFIG` is the connection's. */
const REFUSED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CACHALOT_TOO_LARGE', 'CACHALOT_CLOSED']);

/** The server is there, but not for us: wrong credentials, no such database, too old. The link has told of it. */
const UNUSABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CACHALOT_CONFIG', 'CACHALOT_UNSUPPORTED']);

/** Whether a store's failure counts as a miss. */
export function tolerable(thrown: unknown): thrown is CachalotError {
  return thrown instanceof CachalotError && !REFUSED.has(thrown.code);
}

/** Tells the log of a store's failure, or throws it on. @param what was asked of the store */
export function handleError(log: OutageLog, what: 'get' | 'set', thrown: unknown): void {
  if (!tolerable(thrown)) {
    throw thrown;
  }
  report(log, what, thrown);
}

/** Tells the log of a failure that no caller sees. @param what was asked of the store */
export function report(log: OutageLog, what: string, error: CachalotError): void {
  if (error.queued) {
    log.queued(error);
  } else if (isOutage(error) || UNUSABLE.has(error.code)) {
    log.outage(error);
  } else {
    log.failed(what, error);
  }
}
