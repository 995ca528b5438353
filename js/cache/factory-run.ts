/** One computation of a value: a lock among processes, the factory, the set that its read guards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CachalotError, FactoryTimeoutError } from '../shared/errors.js';
import type { Reading } from '../store/native-store.js';
import {
  contextOf,
  type EntryOverrides,
  type FactoryOutcome,
  type FactoryRunHost,
  type GetOrSetRequest,
  type StaleEntry,
} from './factory.js';
import { type Running, runningIn, within } from './factory-scope.js';
import { KeyLock } from './key-lock.js';
import { tagsOf } from './namespaces.js';
import { StoreDeadline } from './store-deadline.js';

/** Waiting for another process begins with a round trip's time and ends at what a person does not notice. */
const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 50;

/** An hour: the timer does nothing. */
const ALIVE_MS = 3_600_000;

interface Start {
  /** Of the read that found nothing fresh. */
  readonly ticket: string | undefined;
  /** Tells the lock of this run from those of others. */
  readonly owner: string;
  readonly held: StaleEntry | undefined;
  /** Until when, on the clock of `performance.now()`, the flights of other processes are waited for. */
  readonly waitDeadline: number;
  /** Others that wait for the lock go first. */
  readonly yieldsLock: boolean;
  /** How long the read before it took. */
  readonly spent: number;
  /** That read failed: the store is left alone. */
  readonly outage: boolean;
}

export class FactoryRun {
  /** What the value will be stored by: it only becomes newer. `undefined` in an outage: then nothing is stored. */
  ticket: string | undefined;
  /** How many clears this process had asked for when it began. */
  readonly clears: number;
  /** What its starter is told: what it came to, or why it was aborted. */
  readonly outcome: Promise<FactoryOutcome>;
  /** What it came to in the end, although it was aborted meanwhile. */
  readonly settled: Promise<FactoryOutcome>;
  /** Resolves when the key is free for another: it has settled, or had its lease. */
  readonly released: Promise<void>;
  /** Its factory, as calls made within one know it. */
  readonly running: Running;

  readonly #core: FactoryRunHost;
  readonly #call: GetOrSetRequest;
  readonly #lock: KeyLock;
  readonly #held: StaleEntry | undefined;
  /** Until when others are waited for. */
  readonly #waitDeadline: number;
  /** Whether others go first: this process had the lock just now. */
  readonly #yieldsLock: boolean;
  readonly #outage: boolean;
  readonly #time: StoreDeadline;
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #land!: (outcome: FactoryOutcome) => void;
  #settle!: (outcome: FactoryOutcome) => void;
  #release!: () => void;
  /** The factory was called: the key is its own until it settles, or its lease ends. */
  #computing = false;
  #superseded = false;
  /** Keeps the process alive while the store works. A factory does so itself by what it waits for. */
  readonly #alive = setInterval(() => {}, ALIVE_MS);

  constructor(core: FactoryRunHost, call: GetOrSetRequest, start: Start) {
    this.#core = core;
    this.#call = call;
    this.#lock = new KeyLock(core.store, call.key, start.owner);
    this.#held = start.held;
    this.#waitDeadline = start.waitDeadline;
    this.#yieldsLock = start.yieldsLock;
    this.#outage = start.outage;
    this.#time = new StoreDeadline(core.settings.store);
    this.#time.spent(start.spent);
    this.running = runningIn(core, call.key);
    this.ticket = start.ticket;
    this.clears = core.clears;
    this.outcome = new Promise((resolve) => {
      this.#land = resolve;
    });
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  get aborted(): boolean {
    return this.#controller.signal.aborted;
  }

  go(): void {
    const { hardTimeout } = this.#call.timing;
    if (Number.isFinite(hardTimeout)) {
      const error = new FactoryTimeoutError(
        `The factory of "${this.#call.key}" did not finish within ${hardTimeout} ms (hardTimeout); its signal was aborted.`,
      );
      this.#after(hardTimeout, () => this.abort(error));
    }
    this.#fly().then(
      (outcome) => this.#end(outcome),
      (error) => this.#end({ how: 'failed', error }),
    );
  }

  /** Whether what it stores is not what this call asks for. */
  differsFrom({ tags, timing }: GetOrSetRequest): boolean {
    const own = this.#call;
    return (
      own.timing.ttl !== timing.ttl ||
      own.tags.text !== tags.text ||
      own.tags.lengths.join() !== tags.lengths.join()
    );
  }

  /** The key was set meanwhile: what the factory makes is given to those who wait for it, and not stored. */
  discardResult(): void {
    this.#superseded = true;
  }

  /**
   * Ends the starter's wait. A factory that goes on all the same keeps its key, for as long as its lease lasts, and may
   * still store what it makes.
   */
  abort(error: Error): void {
    this.#controller.abort(error);
    this.#land({ how: 'failed', error });
    if (!this.#computing) {
      this.#end({ how: 'failed', error });
    }
  }

  /** Ends everybody's wait. */
  close(error: Error): void {
    this.#controller.abort(error);
    this.#end({ how: 'failed', error });
  }

  async #fly(): Promise<FactoryOutcome> {
    const found = await this.#board();
    if (found !== undefined) {
      return found;
    }
    if (this.aborted) {
      return { how: 'failed', error: this.#controller.signal.reason };
    }
    this.#computing = true;
    this.#after(this.#call.timing.lockTimeout, () => this.#letGo());
    return this.#compute();
  }

  /** Gets the lock, or what another process made meanwhile. `undefined` = go on. */
  async #board(): Promise<FactoryOutcome | undefined> {
    let pause = FIRST_POLL_MS;
    if (this.#outage) {
      return undefined;
    }
    if (this.#yieldsLock) {
      await sleep(jittered(LAST_POLL_MS), undefined, { ref: false });
    }
    while (!this.aborted) {
      const { locked, reading } = await this.#lockAndRead();
      if (reading === undefined) {
        // An outage: without an epoch nothing can be stored, without a lock everyone computes for himself.
        this.ticket = undefined;
        return undefined;
      }
      this.ticket = reading.ticket;
      const found = this.#answered(reading);
      if (found !== undefined) {
        return found;
      }
      if (locked !== false || performance.now() >= this.#waitDeadline) {
        return undefined;
      }
      await sleep(jittered(pause), undefined, { ref: false });
      pause = Math.min(pause * 2, LAST_POLL_MS);
      this.#time.renew();
    }
    return undefined;
  }

  /** What failed is told once. */
  async #lockAndRead(): Promise<{ locked?: boolean | undefined; reading?: Reading | undefined }> {
    // In this order, in one batch: what the read finds is as new as the lock.
    const both = Promise.allSettled([this.#lock.take(), this.#core.store.read(this.#call.key, true)]);
    const outcome = await this.#time.within(both).catch((error) => this.#quietly(error));
    if (outcome === undefined) {
      return {};
    }
    const [lock, read] = outcome;
    const failed = read.status === 'rejected' ? read : lock;
    if (failed.status === 'rejected') {
      this.#quietly(failed.reason);
    }
    return {
      locked: lock.status === 'fulfilled' ? lock.value : undefined,
      reading: read.status === 'fulfilled' ? read.value : undefined,
    };
  }

  /** A value that someone else has stored meanwhile. */
  #answered(reading: Reading): FactoryOutcome | undefined {
    if (reading.value === undefined || reading.stale) {
      return undefined;
    }
    if (this.#held?.freshUntil !== undefined && this.#held.freshUntil === reading.times?.freshUntil) {
      return undefined;
    }
    const decoded = this.#core.decode(reading.value);
    return decoded && { how: 'value', value: decoded.value };
  }

  async #compute(): Promise<FactoryOutcome> {
    const { key, factory } = this.#call;
    const { telemetry } = this.#core;
    const { context, overrides } = contextOf(this.#call, this.#held, this.#controller.signal);
    telemetry.count.runs++;
    const began = performance.now();
    let value: unknown;
    try {
      this.#alive.unref();
      value = await within(this.running, () => factory(context));
      this.#alive.ref();
    } catch (error) {
      telemetry.count.failures++;
      this.#ran(began, 'failed');
      throw error;
    }
    const cost = performance.now() - began;
    // JSON has no undefined, which is how a miss looks: there is nothing to keep, and no reason to fail.
    if (overrides.skipped || (value === undefined && this.#core.settings.codec.json)) {
      this.#ran(began, 'skipped');
      return { how: 'value', value: this.#core.settings.codec.asRead(value) };
    }
    let stored: boolean;
    try {
      const encoded = this.#core.encode(key, value);
      value = this.#core.settings.codec.asRead(value, encoded);
      stored = await this.#store(encoded, overrides, cost);
    } catch (error) {
      telemetry.count.failures++;
      this.#core.telemetry.failed(error);
      this.#ran(began, 'failed');
      throw error;
    }
    this.#ran(began, stored ? 'stored' : 'rejected');
    telemetry.stored(key, stored);
    return { how: 'value', value, refused: !stored };
  }

  /** @returns whether the value is in the store now */
  async #store(
    encoded: string | Uint8Array,
    { tags, timing }: EntryOverrides,
    cost: number,
  ): Promise<boolean> {
    const { key } = this.#call;
    if (this.ticket === undefined || this.#superseded) {
      return false;
    }
    const { ttl, grace, earlyRefreshFactor, hasTimes } = timing;
    const now = Date.now();
    const extra = {
      ticket: this.ticket,
      ...(ttl !== Number.POSITIVE_INFINITY && (grace > 0 || earlyRefreshFactor > 0 || hasTimes)
        ? { times: { created: now, freshUntil: now + ttl, cost: Math.round(cost) } }
        : {}),
    };
    const life = ttl === 0 ? 0 : ttl + grace;
    try {
      const set = this.#core.store.set(key, encoded, life, tagsOf(key, tags), true, extra);
      // In the same batch: whoever gets the lock next finds the value.
      this.#lock.release();
      return await this.#time.within(set);
    } catch (error) {
      if (this.#core.settings.throws || !(error instanceof CachalotError)) {
        throw error;
      }
      this.#core.telemetry.failed(error);
      // The caller has its value; that it could not be kept is no reason to fail.
      if (error.code !== 'CACHALOT_CLOSED') {
        this.#core.report('set', error);
      }
      return false;
    }
  }

  #ran(began: number, outcome: 'stored' | 'rejected' | 'skipped' | 'failed'): void {
    const { telemetry } = this.#core;
    const ms = performance.now() - began;
    telemetry.took('factory', ms);
    if (telemetry.heard('factory')) {
      telemetry.report('factory', { key: this.#call.key, ms, outcome });
    }
  }

  #end(outcome: FactoryOutcome): void {
    clearInterval(this.#alive);
    for (const timer of this.#timers) {
      clearTimeout(timer);
    }
    // Before it is released: whoever waits for either gets the value.
    this.#land(outcome);
    this.#settle(outcome);
    this.#letGo();
  }

  /** Another factory may begin. What is still under way goes on. */
  #letGo(): void {
    this.#lock.release();
    this.#release();
  }

  #quietly(error: unknown): undefined {
    this.#core.telemetry.failed(error);
    if (error instanceof CachalotError && error.code !== 'CACHALOT_CLOSED') {
      this.#core.report('getOrSet', error);
      return undefined;
    }
    throw error;
  }

  /** Not a reason to stay alive: callers that wait have a timer of their own. */
  #after(ms: number, then: () => void): void {
    this.#timers.push(setTimeout(then, ms).unref());
  }
}

/** Processes that began together do not go on asking together. */
function jittered(ms: number): number {
  return ms * (0.5 + Math.random());
}
