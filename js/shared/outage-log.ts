/** What an adapter tells its logger: one line when an outage begins, one when it ends, and few in between. */

import type { StoreEvent } from '../store/native-store.js';
import { type Logger, lossOf } from './logger.js';

/** Between two lines of one kind within an outage: a server that is away fails every request, perhaps for hours. */
const QUIET_MS = 30_000;

/** Between two outages of one server that are told: a wire that comes and goes is many of them. */
const FLAP_MS = 1000;

/** Failures of an outage that are heard of after its end: they are delivered by another way than the news of it. */
const LATE_MS = 250;

/** A server whose connection is lost. */
interface Loss {
  why: string;
  told: boolean;
}

export class OutageLog {
  readonly #log: Logger;
  readonly #meanwhile: string;
  readonly #lost = new Map<string, Loss>();
  /** Servers that were connected before. */
  readonly #known = new Set<string>();
  /** When the loss of each server was last told. */
  readonly #toldAt = new Map<string, number>();
  /** When an outage was told of which no connection's loss is known (yet). */
  #unexplained: number | undefined;
  /** When the end of an outage was last told. */
  #endedAt: number | undefined;
  /** Clears that wait for the outage to end. */
  #queued = 0;
  readonly #last = new Map<string, number>();
  #toldTooLarge = false;

  /** @param meanwhile what the adapter's callers see until a lost server is back */
  constructor(log: Logger, meanwhile = 'Reads from it are misses until it is back') {
    this.#log = log;
    this.#meanwhile = meanwhile;
  }

  event(event: StoreEvent): void {
    switch (event.type) {
      case 'connected':
        this.#connected(event.server);
        break;
      case 'disconnected':
        this.#disconnected(event.server, event.message);
        break;
      case 'warning':
        this.#log.line('warn', event.message);
        break;
    }
  }

  /** An operation failed because the server is away or too slow; its caller sees a miss. */
  outage(error: Error): void {
    if (this.#lost.size > 0) {
      for (const [server, loss] of this.#lost) {
        this.#tellLoss(server, loss);
      }
    } else if (isWithin(LATE_MS, this.#endedAt)) {
      // It had failed before the connection was back, and is only heard of now.
    } else if (!isWithin(QUIET_MS, this.#unexplained)) {
      this.#unexplained = performance.now();
      this.#log.line('warn', error.message, 'Reads are misses until the server answers again');
    }
  }

  /** An operation failed for another reason, and its caller does not hear of it. */
  failed(what: string, error: Error): void {
    this.#seldom('warn', what, `A ${what} failed: ${error.message}`);
  }

  /** A clear waits for the outage to end. */
  queued(error: Error): void {
    this.#queued += 1;
    const what = 'A clear is kept, and replayed before the first read after the outage';
    this.#seldom('info', 'queued', `${what}: ${error.message}`);
  }

  /** A set was refused, since its data may have been read before a clear. */
  refused(key: string): void {
    const why =
      'the get before it failed, or the key or one of its tags was cleared since. The next request stores it';
    this.#seldom('debug', 'refused', `A set of "${key}" was refused: ${why}.`);
  }

  /** A value was too large to be stored, which its caller does not hear of: said once, since there are more of its kind. */
  tooLarge(error: Error): void {
    if (!this.#toldTooLarge) {
      this.#toldTooLarge = true;
      this.#log.line(
        'warn',
        error.message,
        'Nothing was stored, and no older value is left',
        'This is said once',
      );
    }
  }

  #connected(server: string): void {
    const told = this.#lost.get(server)?.told || this.#unexplained !== undefined;
    const before = this.#known.has(server);
    this.#known.add(server);
    this.#lost.delete(server);
    this.#unexplained = undefined;
    if (!told) {
      this.#log.line('debug', `Connected to ${server}`);
      return;
    }
    this.#endedAt = performance.now();
    const kept = this.#queued === 0 ? [] : [`Clears made meanwhile (${this.#queued}) are replayed`];
    this.#queued = 0;
    this.#last.clear();
    this.#log.line('info', `Connected to ${server}${before ? ' again' : ''}`, ...kept);
  }

  #disconnected(server: string, why: string): void {
    if (this.#lost.has(server)) {
      return;
    }
    // The failed operation that told of this outage may have been faster than the event.
    const told = isWithin(QUIET_MS, this.#unexplained);
    const loss = { why, told };
    this.#lost.set(server, loss);
    if (told) {
      this.#unexplained = undefined;
      this.#toldAt.set(server, performance.now());
    } else {
      this.#tellLoss(server, loss);
    }
  }

  /** At once, or, if another loss was told just now, with the first operation that fails later. */
  #tellLoss(server: string, loss: Loss): void {
    if (!loss.told && !isWithin(FLAP_MS, this.#toldAt.get(server))) {
      loss.told = true;
      this.#toldAt.set(server, performance.now());
      this.#log.line('warn', lossOf(server, loss.why), this.#meanwhile);
    }
  }

  #seldom(level: 'debug' | 'info' | 'warn', kind: string, message: string): void {
    if (!isWithin(QUIET_MS, this.#last.get(kind))) {
      this.#last.set(kind, performance.now());
      this.#log.line(level, message);
    }
  }
}

function isWithin(ms: number, at: number | undefined): boolean {
  return at !== undefined && performance.now() - at < ms;
}
