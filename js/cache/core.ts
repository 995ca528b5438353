/** What all handles of one cache share: the open store, its settings, counters and running factories. */

import {
  type CachalotError,
  ClosedError,
  CorruptError,
  errorMessage,
  TooLargeError,
} from '../shared/errors.js';
import { report, tolerable } from '../shared/handle-error.js';
import { Logger, processWarnings } from '../shared/logger.js';
import { OutageLog } from '../shared/outage-log.js';
import { withTimeout } from '../shared/with-timeout.js';
import type { NativeStore, StoreEvent } from '../store/native-store.js';
import { openStore } from '../store/open.js';
import type { GetOrSetRequest } from './factory.js';
import type { FactoryRun } from './factory-run.js';
import { callers, type Running } from './factory-scope.js';
import { CALLER, type CacheSettings } from './options.js';
import { SingleFlight } from './single-flight.js';
import { Telemetry } from './telemetry.js';

/** What `close()` gives running factories: a request's usual time. */
const CLOSE_MS = 5000;

export class Core {
  readonly settings: CacheSettings;
  readonly store: NativeStore;
  readonly telemetry: Telemetry;
  readonly singleFlight: SingleFlight;
  /** Clears asked for so far: where no epoch could be read, they tell whether a running factory is too old to join. */
  clears = 0;
  readonly #log: OutageLog;
  readonly #hints: Logger;
  #hintsLeft = process.env.NODE_ENV !== 'production';
  #closing: Promise<void> | undefined;
  /** Calls of several steps under way, and who waits for there to be none. */
  #busy = 0;
  #idle: (() => void) | undefined;

  constructor(settings: CacheSettings) {
    this.settings = settings;
    this.telemetry = new Telemetry(settings.store.native.prefix);
    this.singleFlight = new SingleFlight(this);
    this.#hints = new Logger(settings.logger ?? processWarnings(() => false), CALLER);
    const log = new Logger(settings.logger ?? processWarnings(() => this.telemetry.heard('error')), CALLER);
    log.ignored(settings.store);
    this.#log = new OutageLog(log);
    this.store = openStore(settings.store, (event) => this.#event(event));
  }

  /** @throws ClosedError after `close()` */
  open(): void {
    if (this.#closing !== undefined) {
      throw new ClosedError('The cache was closed; create a new one, or close it later.');
    }
  }

  /** An operation whose failure in an outage is answered with `fallback`, unless errors are thrown. */
  async attempt<T>(operation: string, fallback: T, run: () => Promise<T>): Promise<T> {
    this.open();
    return this.attempted(operation, fallback, run);
  }

  /** The same, within a call for which `close()` waits. */
  async attempted<T>(operation: string, fallback: T, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.reportError(operation, error);
      return fallback;
    }
  }

  /** Throws on what the caller must hear of; tells of the rest. */
  reportError(operation: string, error: unknown): void {
    this.telemetry.failed(error);
    if (this.settings.throws || !tolerable(error)) {
      throw error;
    }
    this.report(operation, error);
  }

  /** A call waits for what another one makes: whose tags and ttl it is stored with is said once, while developing. */
  joined(call: GetOrSetRequest, run: FactoryRun): void {
    if (this.#hintsLeft && run.differsFrom(call)) {
      this.#hintsLeft = false;
      this.#hints.line(
        'warn',
        `Two calls of "${call.key}" at one time name different tags or ttl`,
        'The value is stored with those of the first, whose factory runs',
        'This is said once, and not with NODE_ENV=production',
      );
    }
  }

  /** An error that no caller sees. */
  report(operation: string, error: CachalotError): void {
    report(this.#log, operation, error);
    if (this.telemetry.heard('error')) {
      this.telemetry.report('error', { operation, error, queued: error.queued });
    }
  }

  /** A refresh behind a value that was served has failed: nobody waits for it, so somebody is told. */
  refreshFailed(key: string, error: unknown): void {
    if (this.settings.logger !== undefined) {
      this.#log.failed('refresh', new Error(`"${key}": ${errorMessage(error)}`));
    }
    if (this.telemetry.heard('refreshFailed')) {
      this.telemetry.report('refreshFailed', { key, error });
    }
  }

  /** A value to store. One too large to serialize leaves no older one behind, as one too large to store does. */
  encode(key: string, value: unknown, caller?: string): string | Uint8Array {
    try {
      return this.settings.codec.serialize(value, caller);
    } catch (error) {
      if (error instanceof TooLargeError) {
        // What comes of it is told as of any clear; the caller hears of the value.
        this.store.clear({ key }).catch((failed) => this.report('set', failed));
      }
      throw error;
    }
  }

  /** The fresh value that is kept in this process; `undefined` = to be asked of the store. */
  localHit(key: string): unknown {
    const { localCache } = this.store;
    if (localCache === undefined) {
      return undefined;
    }
    if (this.settings.codec.json) {
      return localCache.value(key);
    }
    const stored = localCache.stored(key);
    return stored === undefined ? undefined : this.decode(stored)?.value;
  }

  /** A call of several steps: `close()` waits for it. @throws ClosedError (rejects) after `close()` */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.open();
    this.#busy++;
    try {
      return await run();
    } finally {
      this.#busy--;
      if (this.#busy === 0) {
        this.#idle?.();
      }
    }
  }

  /** A stored value as the caller gave it. `undefined` = it does not decode, which is a miss. */
  decode(stored: string | Uint8Array): { value: unknown } | undefined {
    try {
      return { value: this.settings.codec.deserialize(stored) };
    } catch (why) {
      const message = `A stored value does not decode (${errorMessage(why)}). It counts as a miss; the next set replaces it.`;
      const error = new CorruptError(message, { cause: why });
      this.telemetry.failed(error);
      this.report('get', error);
      return undefined;
    }
  }

  close(): Promise<void> {
    // At once: what is closed answers nothing, also while running factories are waited for.
    this.store.localCache?.close();
    // A factory that closes its cache does not wait for itself, nor for whoever waits for it.
    const waiting = callers().filter((running) => running.core === this);
    if (this.#closing !== undefined && waiting.length > 0) {
      return Promise.resolve();
    }
    this.#closing ??= this.#letGo(waiting);
    return this.#closing;
  }

  async #letGo(waiting: readonly Running[]): Promise<void> {
    const began = performance.now();
    if (this.#busy > 0 && waiting.length === 0) {
      await withTimeout(
        new Promise<void>((resolve) => {
          this.#idle = resolve;
        }),
        CLOSE_MS,
      );
    }
    await this.singleFlight.drain(began + CLOSE_MS - performance.now(), waiting);
    await this.store.close();
  }

  #event(event: StoreEvent): void {
    this.#log.event(event);
    const { type, ...detail } = event;
    if (this.telemetry.heard(type)) {
      this.telemetry.report(type, detail as never);
    }
  }
}
