/** What one environment receives from the core: answers of flights, and events of stores. */
import native from '#native';
import type { PendingBatch } from './pending-batch.js';

/** An operation's id is its batch's number and, in the last bits, its place in the batch. Events have the number 0. */
const PLACE_BITS = 10;
const PLACES = 1 << PLACE_BITS;
const LAST_FLIGHT = 2 ** (32 - PLACE_BITS) - 1;

/** Operations in one batch at most. */
export const MAX_OPERATIONS = PLACES;

/** What a store hears. */
export interface EventSink {
  event(event: unknown): void;
}

export class Receiver {
  private readonly pendingBatches = new Map<number, PendingBatch>();
  /** Weak: a store that nobody holds any more is closed when it is collected. */
  private readonly sinks = new Map<number, WeakRef<EventSink>>();
  private next = 1;

  /** @returns the id of the batch's first operation */
  register(pending: PendingBatch): number {
    // Numbers come round after four million flights; one that is still on its way is passed over.
    while (this.pendingBatches.has(this.next)) {
      this.next = this.next === LAST_FLIGHT ? 1 : this.next + 1;
    }
    const number = this.next;
    this.next = number === LAST_FLIGHT ? 1 : number + 1;
    this.pendingBatches.set(number, pending);
    return number * PLACES;
  }

  /** The batch was answered elsewhere. */
  leave(firstId: number): void {
    this.pendingBatches.delete(firstId >>> PLACE_BITS);
  }

  hear(handle: number, sink: EventSink): void {
    this.sinks.set(handle, new WeakRef(sink));
  }

  forget(handle: number): void {
    this.sinks.delete(handle);
  }

  /** Called by the core: `[firstId, count, answer…, firstId, count, answer…]`. Must not throw. */
  deliver(flat: unknown[]): void {
    let at = 0;
    while (at < flat.length) {
      const firstId = flat[at] as number;
      const end = at + 2 + (flat[at + 1] as number);
      at += 2;
      if (firstId === 0) {
        while (at < end) {
          this.event(flat[at++] as string);
        }
        continue;
      }
      const number = firstId >>> PLACE_BITS;
      const pending = this.pendingBatches.get(number);
      // The answers to a batch that failed as a whole are stepped over.
      for (let place = firstId & (PLACES - 1); pending !== undefined && at < end; place++) {
        pending.settle(place, flat[at++]);
      }
      at = end;
      if (pending?.done) {
        this.pendingBatches.delete(number);
      }
    }
  }

  private event(json: string): void {
    const { handle, ...event } = JSON.parse(json) as { handle: number };
    this.sinks.get(handle)?.deref()?.event(event);
  }
}

/**
 * The version of Node.js's own libuv. `undefined` on a runtime that only looks like Node.js, or drives the event loop in
 * its own way.
 */
function libuv(): string | undefined {
  const { bun, deno, electron, uv } = process.versions;
  const isNode = process.release.name === 'node' && (bun ?? deno ?? electron) === undefined;
  return isNode ? uv : undefined;
}

const SHARED = Symbol.for('cachalot.receiver');

/**
 * The one receiver of this environment, kept on the addon itself: the CommonJS and the ES build of this package, loaded
 * in one process, share the addon, and it takes one receiver.
 */
export function receiver(): Receiver {
  const addon = native as typeof native & { [SHARED]?: Receiver };
  if (addon[SHARED] === undefined) {
    const created = new Receiver();
    native.listen((flat) => created.deliver(flat), libuv());
    Object.defineProperty(addon, SHARED, { value: created });
    return created;
  }
  return addon[SHARED];
}
