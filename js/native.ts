/** One open store: collects a turn's operations and hands them to the core in one call. */
import native from '#native';
import { ClosedError, ConfigError, errorOf } from './errors.js';
import { Batch } from './native/batch.js';
import { Flight, Kind } from './native/flight.js';
import { MAX_OPERATIONS, receiver, type Sink } from './native/receiver.js';
import type { NativeConfig } from './options/native-config.js';

/** Units of text and values after which a turn's operations go at once: the first are then on their way while the rest is collected. */
const FLUSH_AT = 64 * 1024;

/** Tags of one call, in units: far more than a clear has names, far less than V8's longest string. */
const MAX_TAG_UNITS = 16 * 1024 * 1024;

/** At most one event about text that is not JSON in this time. */
const CORRUPT_EVERY_MS = 60_000;

/** What a person may want to know while nothing is returned: once per change of state, not once per call. */
export type StoreEvent =
  /** A connection is ready (again). */
  | { type: 'connected'; server: string }
  /** A connection was lost or could not be made. */
  | { type: 'disconnected'; server: string; code: string; message: string }
  /** Anything else worth a line. */
  | { type: 'warning'; code: string; message: string };

/** Counters of one store since it was opened. */
export type Stats = {
  hits: number;
  misses: number;
  sets: number;
  /** Sets that a clear since their miss made too old: nothing was stored. */
  staleSets: number;
  /** Sets that no miss guarded: only as fresh as their caller. */
  unguardedSets: number;
  clears: number;
  /** Entries found past their expiry. */
  expired: number;
  /** Entries found with a tag cleared since. */
  invalidated: number;
  /** Stored bytes that did not decode, each a miss. */
  corrupt: number;
  /** Errors that say the server is away or too slow. */
  outages: number;
  /** Any other error. */
  errors: number;
  /** Entries removed by background reclaiming. */
  reclaimed: number;
  /** Bytes of values given to set. */
  bytesIn: number;
  /** Bytes kept of them, after compression and with their envelope. */
  bytesStored: number;
};

export interface ClearTarget {
  key?: string;
  tags?: readonly string[];
  /** `auto` spares entries that were set with `auto: false`. @default 'all' */
  raise?: 'all' | 'auto';
}

export class NativeStore {
  // Not #private: a store may be reached through a Proxy.
  private readonly handle: number;
  private readonly receiver = receiver();
  private readonly sink: Sink;
  private readonly batch = new Batch();
  private readonly corrupt: (why: unknown) => void;
  private flight: Flight;
  private scheduled = false;
  private closing: Promise<void> | undefined;
  private lastStats: Stats | undefined;

  /**
   * Returns at once; connections are made in the background.
   * @throws ConfigError on a configuration that the core does not take
   */
  constructor(config: NativeConfig, onEvent?: (event: StoreEvent) => void) {
    const tell = telling(onEvent);
    this.sink = { event: (event) => tell(event as StoreEvent) };
    this.corrupt = corruptions(tell);
    this.flight = new Flight(this.corrupt);
    try {
      this.handle = native.open(JSON.stringify(config));
    } catch (error) {
      throw errorOf(error);
    }
    this.receiver.hear(this.handle, this.sink);
    collected.register(this, this.handle, this);
  }

  /** @returns the value, parsed from JSON (bytes as they are); `undefined` = a miss */
  async get(key: string): Promise<unknown> {
    checkText('key', key);
    this.open();
    this.batch.get(key, true);
    return this.add(Kind.Json);
  }

  /** @returns the value as it was given to `set`; `undefined` = a miss */
  async getText(key: string): Promise<string | Uint8Array | undefined> {
    checkText('key', key);
    this.open();
    this.batch.get(key, true);
    return this.add(Kind.Raw) as Promise<string | Uint8Array | undefined>;
  }

  /** @returns the live values that carry any of the tags */
  async getByTags(tags: readonly string[]): Promise<unknown[]> {
    checkTags(tags);
    this.open();
    this.batch.getByTags(tags);
    return this.add(Kind.List) as Promise<unknown[]>;
  }

  /**
   * @param value JSON text, or bytes; bytes are read when the turn ends
   * @param ttlMs milliseconds, `Infinity` = for ever, 0 = store nothing and leave no older value
   * @param auto whether clears that raise `auto` reach it
   */
  async set(
    key: string,
    value: string | Uint8Array,
    ttlMs: number,
    tags: readonly string[],
    auto: boolean,
  ): Promise<void> {
    checkText('key', key);
    checkTags(tags);
    checkValue(value);
    if (!(ttlMs >= 0)) {
      throw new ConfigError(
        `ttl: expected a number of milliseconds of 0 or more, or Infinity, got ${ttlMs}.`,
      );
    }
    this.open();
    // Rounded up: half a millisecond is a lifetime, 0 is none. Beyond 2^53 whole numbers end, and so does patience.
    this.batch.set(key, value, ttlMs > Number.MAX_SAFE_INTEGER ? Infinity : Math.ceil(ttlMs), tags, auto);
    await this.add(Kind.Done);
  }

  /** The key whatever else is asked; then the tags (`*` is every entry's). Finished when the server acknowledged it. */
  async clear(target: ClearTarget): Promise<void> {
    const tags = target.tags ?? [];
    if (target.key !== undefined) {
      checkText('key', target.key);
    }
    checkTags(tags);
    this.open();
    this.batch.clear(target.key, tags, target.raise ?? 'all');
    await this.add(Kind.Done);
  }

  /** After `close()`: as they stood when it was called. */
  stats(): Stats {
    return this.lastStats ?? (JSON.parse(native.stats(this.handle)) as Stats);
  }

  /** Finishes what is under way, then lets go of connections. Every later call rejects with `CACHALOT_CLOSED`. */
  close(): Promise<void> {
    this.closing ??= this.letGo();
    return this.closing;
  }

  private open(): void {
    if (this.closing !== undefined) {
      throw new ClosedError('The cache was closed; create a new one, or close it later.');
    }
  }

  /** The operation that was just put into the batch. */
  private add(kind: Kind): Promise<unknown> {
    const promise = this.flight.add(kind);
    if (this.batch.weight >= FLUSH_AT || this.flight.size === MAX_OPERATIONS) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      process.nextTick(flushed, this);
    }
    return promise;
  }

  /** @internal */
  flush(): void {
    const { batch, flight } = this;
    if (flight.size === 0) {
      return;
    }
    this.flight = new Flight(this.corrupt);
    const firstId = this.receiver.board(flight);
    let answers: unknown[] | null;
    try {
      answers = native.submit(
        this.handle,
        firstId,
        Date.now(),
        batch.text,
        batch.words,
        batch.length,
        batch.values,
      );
    } catch (error) {
      this.receiver.leave(firstId);
      flight.fail(error);
      return;
    } finally {
      batch.reset();
    }
    if (answers !== null) {
      this.receiver.leave(firstId);
      for (let index = 0; index < answers.length; index++) {
        flight.settle(index, answers[index]);
      }
    }
  }

  /** @internal */
  turnEnded(): void {
    this.scheduled = false;
    this.flush();
  }

  private async letGo(): Promise<void> {
    this.flush();
    collected.unregister(this);
    this.lastStats = this.stats();
    try {
      await closeHandle(this.handle);
    } finally {
      this.receiver.forget(this.handle);
    }
  }
}

function flushed(store: NativeStore): void {
  store.turnEnded();
}

function closeHandle(handle: number): Promise<unknown> {
  const flight = new Flight(() => {});
  const closed = flight.add(Kind.Done);
  const id = receiver().board(flight);
  try {
    native.close(handle, id);
  } catch (error) {
    receiver().leave(id);
    flight.fail(error);
  }
  return closed;
}

/** Stores that were dropped without `close()`: their connections go with them. */
const collected = new FinalizationRegistry<number>((handle) => {
  receiver().forget(handle);
  // Nobody waits for it, and it may have been closed by the end of the environment.
  closeHandle(handle).catch(() => {});
});

function telling(onEvent: ((event: StoreEvent) => void) | undefined): (event: StoreEvent) => void {
  return (event) => {
    try {
      onEvent?.(event);
    } catch (error) {
      // A listener's defect must not cost the answers that travel with the event, nor end the process.
      process.emitWarning(`A listener of a store's events threw: ${error}`, 'CachalotWarning');
    }
  };
}

function corruptions(tell: (event: StoreEvent) => void): (why: unknown) => void {
  let quietUntil = 0;
  return (why) => {
    const now = performance.now();
    if (now >= quietUntil) {
      quietUntil = now + CORRUPT_EVERY_MS;
      const message = `A stored value is not JSON (${why}). It counts as a miss; the next set replaces it.`;
      tell({ type: 'warning', code: 'CACHALOT_CORRUPT', message });
    }
  };
}

function checkText(name: string, text: unknown): void {
  if (typeof text !== 'string') {
    throw new ConfigError(`${name}: expected a string, got ${text === null ? 'null' : typeof text}.`);
  }
  if (!text.isWellFormed()) {
    throw new ConfigError(
      `${name}: expected well-formed text, got one with half a surrogate pair; use toWellFormed().`,
    );
  }
}

function checkTags(tags: readonly string[]): void {
  if (!Array.isArray(tags)) {
    throw new ConfigError(`tags: expected an array of strings, got ${tags === null ? 'null' : typeof tags}.`);
  }
  let units = 0;
  for (let index = 0; index < tags.length; index++) {
    const tag: unknown = tags[index];
    // The name is made only for the error: this is every call's way.
    if (typeof tag !== 'string' || !tag.isWellFormed()) {
      checkText(`tags[${index}]`, tag);
    }
    units += (tag as string).length;
  }
  if (units > MAX_TAG_UNITS) {
    throw new ConfigError(
      `tags: expected at most ${MAX_TAG_UNITS} characters in one call, got ${units}; make several calls.`,
    );
  }
}

function checkValue(value: unknown): void {
  if (typeof value === 'string') {
    checkText('value', value);
  } else if (Object.prototype.toString.call(value) !== '[object Uint8Array]') {
    // Not `instanceof`: test runners give each file a realm of its own.
    throw new ConfigError(
      `value: expected a string or a Uint8Array, got ${value === null ? 'null' : typeof value}.`,
    );
  }
}
