/** What is told of a set that was refused, since Medusa's contracts return nothing. */
import { channel } from 'node:diagnostics_channel';
import type { OutageLog } from '../outage-log.js';

/** The channel on which a `Cache` publishes its sets. */
const sets = channel('cachalot:set');

/** @param prefix tells stores apart for a subscriber of the channel */
export function tellRefused(log: OutageLog, prefix: string, key: string): void {
  log.refused(key);
  if (sets.hasSubscribers) {
    sets.publish({ prefix, key, stored: false });
  }
}
