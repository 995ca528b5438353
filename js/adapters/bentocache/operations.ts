/**
 * Which of Bentocache's operations a call of the driver belongs to. A driver sees only gets and sets; Bentocache (1.6 and
 * newer) tells of its operations on a tracing channel, and a store bound to that channel follows each of them, whatever
 * else runs at the same time. So a `set` at the end of `getOrSet` is refused if what it stores was read from the database
 * before a clear, while a `set` that somebody calls is never held back by an older miss.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';

/** Tickets of one operation's reads, by key; each for one set. */
type Tickets = Map<string, string>;

const CHANNEL = 'bentocache.cache.operation';

const operation = new AsyncLocalStorage<Tickets | undefined>();
let followed = false;

/** From now on operations are told apart. Costs nothing until the first driver is made. */
export function followOperations(): void {
  if (!followed) {
    followed = true;
    tracingChannel<Tickets | undefined, { operation?: unknown }>(CHANNEL).start.bindStore(
      operation,
      ticketsOf,
    );
  }
}

/** Of the operation that the caller belongs to; `undefined` outside of those that read before they write. */
export function currentTickets(): Tickets | undefined {
  return operation.getStore();
}

function ticketsOf(message: { operation?: unknown } | undefined): Tickets | undefined {
  switch (message?.operation) {
    case 'getOrSet':
    case 'expire':
      return new Map();
    case 'set':
      return operation.getStore();
    default:
      // A factory's own calls are not part of the operation that runs it.
      return undefined;
  }
}
