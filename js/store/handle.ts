/** The core's handle on an open store, apart from what is asked of it. */
import native from '#native';
import { UnsupportedError } from '../shared/errors.js';
import { PendingBatch, ReplyType } from './pending-batch.js';
import { receiver } from './receiver.js';

/** Stores that were dropped without `close()`: their connections go with them. */
const collected = new FinalizationRegistry<number>((handle) => {
  receiver().forget(handle);
  // Nobody waits for it, and it may have been closed by the end of the environment.
  closeHandle(handle).catch(() => {});
});

export function closeWhenCollected(store: object, handle: number): void {
  collected.register(store, handle, store);
}

export function closedByItself(store: object): void {
  collected.unregister(store);
}

export function closeHandle(handle: number): Promise<unknown> {
  const pending = new PendingBatch(() => {});
  const closed = pending.add(ReplyType.Done);
  const id = receiver().register(pending);
  try {
    native.close(handle, id);
  } catch (error) {
    receiver().leave(id);
    pending.fail(error);
  }
  return closed;
}

/**
 * The counters of a store that was opened with L1.
 * @throws UnsupportedError where the runtime lends native memory to no buffer; the store is closed
 */
export function countersOf(handle: number): ArrayBuffer {
  try {
    return native.counters(handle) as ArrayBuffer;
  } catch (cause) {
    closeHandle(handle).catch(() => {});
    throw new UnsupportedError(
      'l1: this runtime does not let native code share memory with JavaScript; leave the option out.',
      { cause },
    );
  }
}
