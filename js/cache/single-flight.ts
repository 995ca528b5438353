/**
 * Running factories. One a key in this process, joined by every caller whose read is not newer than what the factory's
 * result will be stored as; and, by a lock in the store, one a key among all processes.
 */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ClosedError } from '../shared/errors.js';
import { withTimeout } from '../shared/with-timeout.js';
import type { FactoryOutcome, FactoryRunHost, GetOrSetRequest, StaleEntry } from './factory.js';
import { FactoryRun } from './factory-run.js';
import type { Running } from './factory-scope.js';

/** Keys whose factory failed lately; beyond it the longest ago is tried again early. */
const MAX_BACKOFFS = 10_000;

/** By size and not by `max`, for which the library takes all the memory at once. */
const BOUNDED = { maxSize: MAX_BACKOFFS, sizeCalculation: () => 1 };

/** Values of a key that clears overtake in a row before this process lets others have the lock first. */
const TURNS = 3;

/** Where generation and number of the epoch end in a ticket (src/engine), of which of one generation the greater is newer; then its lease. */
const GENERATION = 8;
const EPOCH = 16;
const LEASE = 37;

export class SingleFlight {
  readonly #core: FactoryRunHost;
  /** The newest of each key. */
  readonly #running = new Map<string, FactoryRun>();
  /** All that callers may wait for, the newest or not. */
  readonly #all = new Set<FactoryRun>();
  readonly #failed = new LRUCache<string, true>(BOUNDED);
  /** Keys whose values clears overtook, and how often in a row: other processes wait for their lock, too. */
  readonly #refused = new LRUCache<string, number>(BOUNDED);
  /** Tells this process's locks from those of others. */
  readonly #owner = randomUUID();
  #count = 0;

  constructor(core: FactoryRunHost) {
    this.#core = core;
  }

  /** The running factory of a key, and whether a caller that read with this ticket may take its result. */
  of(key: string, ticket: string | undefined): { run: FactoryRun; joinable: boolean } | undefined {
    const run = this.#running.get(key);
    return run && { run, joinable: isFreshEnough(run, ticket, this.#core.clears) };
  }

  /**
   * @param patience until when other processes are waited for; a refresh waits for as long as two leases last
   * @param read what the read before it took of the caller's time, and whether it failed
   */
  start(
    call: GetOrSetRequest,
    ticket: string | undefined,
    held?: StaleEntry,
    waitDeadline?: number,
    read: { spent: number; outage: boolean } = { spent: 0, outage: false },
  ): FactoryRun {
    const run = new FactoryRun(this.#core, call, {
      ticket,
      held,
      owner: `${this.#owner}:${this.#count++}`,
      waitDeadline: waitDeadline ?? performance.now() + 2 * call.timing.lockTimeout,
      yieldsLock: this.#yieldsLock(call.key),
      ...read,
    });
    this.#running.set(call.key, run);
    this.#all.add(run);
    const forget = () => {
      this.#all.delete(run);
      if (this.#running.get(call.key) === run) {
        this.#running.delete(call.key);
      }
    };
    // Released: late callers run their own, and a factory that never ends is not kept.
    run.released.then(forget);
    run.outcome.then((outcome) => outcome.how === 'failed' && this.#note(call, outcome));
    run.settled.then((outcome) => this.#note(call, outcome));
    run.go();
    return run;
  }

  /** The key is set: what a factory of this process makes of what it had read before is not stored over it. */
  discardResult(key: string): void {
    this.#running.get(key)?.discardResult();
  }

  /** Whether the factory of this key failed so lately that the stale value is served instead of trying again. */
  backsOff(key: string): boolean {
    return this.#failed.has(key);
  }

  /** Waits for what is running, beside the factories that wait for this call; what is not over by then is aborted. */
  async drain(ms: number, waiting: readonly Running[]): Promise<void> {
    const others = () => [...this.#all].filter((run) => !waiting.includes(run.running));
    await withTimeout(Promise.all(others().map((run) => run.outcome)), ms);
    for (const run of others()) {
      run.close(new ClosedError('The cache was closed while the factory ran.'));
    }
  }

  #yieldsLock(key: string): boolean {
    return (this.#refused.get(key) ?? 0) >= TURNS && this.#refused.delete(key);
  }

  #note(call: GetOrSetRequest, outcome: FactoryOutcome): void {
    if (outcome.how === 'value') {
      this.#failed.delete(call.key);
      if (outcome.refused) {
        this.#refused.set(call.key, (this.#refused.get(call.key) ?? 0) + 1);
      } else {
        this.#refused.delete(call.key);
      }
    } else if (outcome.how === 'failed' && call.timing.graceBackoff > 0) {
      this.#failed.set(call.key, true, { ttl: call.timing.graceBackoff });
    }
  }
}

/**
 * Whether what the run stores is not older than what the caller's read may rely on (docs/decisions/0007).
 * Without a ticket, in an outage, this process's own clears decide.
 */
function isFreshEnough(run: FactoryRun, ticket: string | undefined, clears: number): boolean {
  const own = run.ticket;
  if (own === undefined || ticket === undefined) {
    return own === ticket && run.clears === clears;
  }
  return (
    own.slice(0, GENERATION) === ticket.slice(0, GENERATION) &&
    own.slice(GENERATION, EPOCH) >= ticket.slice(GENERATION, EPOCH) &&
    // On memcached a delete of the key shows in the lease alone.
    own.slice(EPOCH, LEASE) === ticket.slice(EPOCH, LEASE)
  );
}
