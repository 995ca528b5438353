/** What is told of a set that was refused, since Medusa's contracts return nothing. */
import { channel } from 'node:diagnostics_channel';
import { TooLargeError } from './errors.js';
import type { OutageLog } from './outage-log.js';

/** The channel on which a `Cache` publishes its sets. */
const sets = channel('cachalot:set');

/** @param prefix tells stores apart for a subscriber of the channel */
export function tellRefused(log: OutageLog, prefix: string, key: string): void {
  log.refused(key);
  publish(prefix, key);
}

/** A value that the store cannot take, as `tellRefused`: to Medusa's own providers no value is too large. @throws any other error */
export function tellTooLarge(log: OutageLog, prefix: string, key: string, thrown: unknown): void {
  if (!(thrown instanceof TooLargeError)) {
    throw thrown;
  }
  log.tooLarge(thrown);
  publish(prefix, key);
}

function publish(prefix: string, key: string): void {
  if (sets.hasSubscribers) {
    sets.publish({ prefix, key, stored: false });
  }
}
