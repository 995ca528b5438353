/** What a provider tells its logger: one line when an outage begins, one when it ends, and few in between. */
import type { StoreEvent } from '../native.js';
import type { ProviderLog } from './provider-log.js';

/** Between two lines of one kind within an outage: a server that is away fails every request, perhaps for hours. */
const QUIET_MS = 30_000;

export class OutageLog {
  readonly #log: ProviderLog;
  /** Servers whose connection is lost, each told once. */
  readonly #lost = new Set<string>();
  /** When an outage was told of which no connection's loss is known (yet). */
  #unexplained: number | undefined;
  /** Clears that wait for the outage to end. */
  #queued = 0;
  readonly #last = new Map<string, number>();

  constructor(log: ProviderLog) {
    this.#log = log;
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
    if (this.#lost.size === 0 && !this.#isRecent(this.#unexplained)) {
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
    this.#seldom(
      'info',
      'queued',
      `A clear is kept, and replayed before the first read after the outage: ${error.message}`,
    );
  }

  #connected(server: string): void {
    const again = this.#lost.delete(server) || this.#unexplained !== undefined;
    this.#unexplained = undefined;
    if (!again) {
      this.#log.line('debug', `Connected to ${server}`);
      return;
    }
    const kept = this.#queued === 0 ? [] : [`Clears made meanwhile (${this.#queued}) are replayed`];
    this.#queued = 0;
    this.#last.clear();
    this.#log.line('info', `Connected to ${server} again`, ...kept);
  }

  #disconnected(server: string, why: string): void {
    if (this.#lost.has(server)) {
      return;
    }
    this.#lost.add(server);
    if (this.#isRecent(this.#unexplained)) {
      // The failed operation that told of this outage was faster than the event.
      this.#unexplained = undefined;
      return;
    }
    this.#log.line('warn', `No connection to ${server}: ${why}`, 'Reads from it are misses until it is back');
  }

  #seldom(level: 'info' | 'warn', kind: string, message: string): void {
    if (!this.#isRecent(this.#last.get(kind))) {
      this.#last.set(kind, performance.now());
      this.#log.line(level, message);
    }
  }

  #isRecent(at: number | undefined): boolean {
    return at !== undefined && performance.now() - at < QUIET_MS;
  }
}
