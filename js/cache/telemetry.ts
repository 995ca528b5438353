/** What a cache tells of itself: counters, events, and channels of node:diagnostics_channel named `cachalot:<event>`. */
import { channel } from 'node:diagnostics_channel';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { CachalotError, errorMessage } from '../shared/errors.js';
import type { Stats } from '../store/native-store.js';

/** The events of a cache, and what each brings. Keys are full: with their namespaces, without the prefix. */
export interface CacheEvents {
  /** A read found a value; `stale`: past its ttl, within its grace; `tier: 'l1'`: one that is kept in this process. */
  hit: { key: string; stale: boolean; tier?: 'l1' };
  miss: { key: string };
  /** `stored` false: a clear since the data was read made it too old. */
  set: { key: string; stored: boolean };
  delete: { keys: readonly string[] };
  /** A clear by tags, of a namespace or of everything, or an `expire` of keys; `soft`: made stale, not removed. */
  clear: { tags?: readonly string[]; namespace?: string; keys?: readonly string[]; soft: boolean };
  /** A factory ran. */
  factory: { key: string; ms: number; outcome: 'stored' | 'rejected' | 'skipped' | 'failed' };
  /** Something failed that its caller does not see as an error. `queued`: a clear is kept and replayed after the outage. */
  error: { operation: string; error: CachalotError; queued: boolean };
  /** A refresh behind a value that was served failed; the factory's own error. */
  refreshFailed: { key: string; error: unknown };
  connected: { server: string };
  disconnected: { server: string; code: string; message: string };
  warning: { code: string; message: string };
}

export type CacheEventName = keyof CacheEvents;

/** Milliseconds. */
export interface Quantiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface CacheStats {
  hits: number;
  misses: number;
  /** Hits past their ttl, within their grace; among `hits`. */
  staleHits: number;
  /** Hits of values kept in this process (option `l1`); among `hits`. */
  l1Hits: number;
  sets: number;
  /** Factory results refused because a clear since made their data too old, or a set since made them superfluous. */
  rejectedWrites: number;
  deletes: number;
  clears: number;
  factories: { runs: number; failures: number };
  /** Errors by code, whether thrown or told by events. */
  errors: Record<string, number>;
  /** Bytes of values given to the store. */
  bytesIn: number;
  /** Bytes kept of them, after compression and with their envelope. */
  bytesStored: number;
  /** Of every eighth call, so that measuring stays cheap; of every factory. */
  latency: { read: Quantiles; write: Quantiles; factory: Quantiles };
  /** The store's own counters. A store counts each of the reads that one `getOrSet` makes. */
  store: Stats;
}

type Listener = (detail: never) => void;
type Measured = 'read' | 'write' | 'factory';

/** One of so many reads and writes is timed: a clock and a histogram cost as much as a part of the call itself. */
const SAMPLE = 8;

/** An hour in microseconds: what takes longer counts as that. */
const LONGEST_US = 3_600_000_000;

const CHANNELS = Object.fromEntries(
  (
    [
      'hit',
      'miss',
      'set',
      'delete',
      'clear',
      'factory',
      'error',
      'refreshFailed',
      'connected',
      'disconnected',
      'warning',
    ] satisfies CacheEventName[]
  ).map((name) => [name, channel(`cachalot:${name}`)]),
) as Record<CacheEventName, ReturnType<typeof channel>>;

/** Names of events, for messages. */
export const EVENTS = Object.keys(CHANNELS) as CacheEventName[];

export class Telemetry {
  readonly count = {
    hits: 0,
    misses: 0,
    staleHits: 0,
    l1Hits: 0,
    sets: 0,
    rejectedWrites: 0,
    deletes: 0,
    clears: 0,
    runs: 0,
    failures: 0,
  };
  readonly #prefix: string;
  readonly #errors = new Map<string, number>();
  readonly #listeners = new Map<CacheEventName, Set<Listener>>();
  /** Made when they are first recorded in: one takes some 26 KB. */
  readonly #latency: Partial<Record<Measured, RecordableHistogram>> = {};
  readonly #calls = { read: 0, write: 0 };

  /** @param prefix tells caches apart for a subscriber of the channels */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  on(name: CacheEventName, listener: Listener): () => void {
    const heard = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, heard);
    // A function of its own for each call: a listener given twice is heard twice, and each is taken back alone.
    const own: Listener = (detail) => listener(detail);
    heard.add(own);
    return () => void heard.delete(own);
  }

  /** Whether anyone would hear it: what is told costs nothing otherwise. */
  heard(name: CacheEventName): boolean {
    return CHANNELS[name].hasSubscribers || (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  report<Name extends CacheEventName>(name: Name, detail: CacheEvents[Name]): void {
    if (CHANNELS[name].hasSubscribers) {
      CHANNELS[name].publish({ prefix: this.#prefix, ...detail });
    }
    for (const listener of this.#listeners.get(name) ?? []) {
      // A listener's defect must not fail the call that it hears of, nor end the process.
      const defect = (error: unknown) => {
        process.emitWarning(
          `A listener of the cache's "${name}" threw: ${errorMessage(error)}`,
          'CachalotWarning',
        );
      };
      try {
        const heard: unknown = (listener as (detail: CacheEvents[Name]) => unknown)(detail);
        if (heard instanceof Promise) {
          heard.catch(defect);
        }
      } catch (error) {
        defect(error);
      }
    }
  }

  hit(key: string, stale: boolean): void {
    this.count.hits++;
    if (stale) {
      this.count.staleHits++;
    }
    if (this.heard('hit')) {
      this.report('hit', { key, stale });
    }
  }

  /** Not timed: it takes less than its measuring. */
  l1Hit(key: string): void {
    this.count.hits++;
    this.count.l1Hits++;
    if (this.heard('hit')) {
      this.report('hit', { key, stale: false, tier: 'l1' });
    }
  }

  miss(key: string): void {
    this.count.misses++;
    if (this.heard('miss')) {
      this.report('miss', { key });
    }
  }

  stored(key: string, stored: boolean): void {
    this.count.sets++;
    if (!stored) {
      this.count.rejectedWrites++;
    }
    if (this.heard('set')) {
      this.report('set', { key, stored });
    }
  }

  /** Counts an error of ours, whether or not it is thrown on. A factory's own are counted as its failures. */
  failed(error: unknown): void {
    if (error instanceof CachalotError) {
      this.#errors.set(error.code, (this.#errors.get(error.code) ?? 0) + 1);
    }
  }

  /** @returns when the call began, if it is one of those that are timed */
  begin(what: 'read' | 'write'): number {
    return this.#calls[what]++ % SAMPLE === 0 ? performance.now() : -1;
  }

  end(what: Measured, began: number): void {
    if (began >= 0) {
      this.took(what, performance.now() - began);
    }
  }

  took(what: Measured, ms: number): void {
    this.#latency[what] ??= createHistogram({ highest: LONGEST_US, figures: 2 });
    // Microseconds, 1 at least: a histogram of Node.js takes whole numbers above 0.
    this.#latency[what].record(Math.min(Math.max(1, Math.round(ms * 1000)), LONGEST_US));
  }

  stats(store: Stats): CacheStats {
    const { runs, failures, ...count } = this.count;
    return {
      ...count,
      factories: { runs, failures },
      errors: Object.fromEntries(this.#errors),
      bytesIn: store.bytesIn,
      bytesStored: store.bytesStored,
      latency: {
        read: quantiles(this.#latency.read),
        write: quantiles(this.#latency.write),
        factory: quantiles(this.#latency.factory),
      },
      store,
    };
  }
}

function quantiles(histogram: RecordableHistogram | undefined): Quantiles {
  const count = histogram?.count ?? 0;
  const ms = (percentile: number) => (histogram?.percentile(percentile) ?? 0) / 1000;
  return {
    count,
    p50: ms(50),
    p90: ms(90),
    p99: ms(99),
    max: (histogram?.max ?? 0) / 1000,
  };
}
