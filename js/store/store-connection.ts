/** The connection of an open store: its handle, its batcher, its events and its end. */
import native from '#native';
import { LocalCache } from '../local-cache/local-cache.js';
import type { CredentialsSource } from '../options/credentials.js';
import { type LocalCacheSettings, type NativeConfig, nativeText } from '../options/native-config.js';
import { ClosedError, errorOf } from '../shared/errors.js';
import { checkText } from './argument-checks.js';
import type { BatchEncoder } from './batch-encoder.js';
import { Batcher } from './batcher.js';
import { ChannelListeners } from './channel-listeners.js';
import { CredentialsRenewal } from './credentials-renewal.js';
import {
  type CredentialsRefused,
  corruptions,
  type Message,
  type Stats,
  type StoreEvent,
  telling,
} from './events.js';
import { closedByItself, closeHandle, closeWhenCollected, countersOf } from './handle.js';
import { type EventSink, receiver } from './receiver.js';

export class StoreConnection {
  // Not #private: a store may be reached through a Proxy.
  private readonly handle: number;
  private readonly receiver = receiver();
  private readonly sink: EventSink;
  protected readonly batcher: Batcher;
  /** The turn's. */
  protected readonly batch: BatchEncoder;
  protected readonly messages = new ChannelListeners();
  protected readonly corrupt: (why: unknown) => void;
  /** What is kept in this process, if that was asked for. The adapters look there first; the methods here ask the store. */
  readonly localCache: LocalCache | undefined;
  /** Clears of which parts are still to be sent. */
  protected readonly clears = new Set<Promise<void>>();
  private readonly renewal: CredentialsRenewal | undefined;
  private closing: Promise<void> | undefined;
  private lastStats: Stats | undefined;

  /**
   * Returns at once; connections are made in the background.
   * @throws ConfigError on a configuration that the core does not take
   */
  constructor(
    config: NativeConfig,
    onEvent?: (event: StoreEvent) => void,
    l1?: LocalCacheSettings,
    credentials?: CredentialsSource,
  ) {
    const tell = telling(onEvent);
    this.sink = { event: (event) => this.heard(event as StoreEvent | Message | CredentialsRefused, tell) };
    this.corrupt = corruptions(tell);
    try {
      this.handle = native.open(
        nativeText(
          l1 === undefined ? config : { ...config, l1: l1.ttlMs === undefined ? {} : { ttlMs: l1.ttlMs } },
        ),
      );
    } catch (error) {
      throw errorOf(error);
    }
    this.batcher = new Batcher(this.handle, this.receiver, this.corrupt);
    this.batch = this.batcher.batch;
    this.localCache = l1 && new LocalCache(countersOf(this.handle), l1);
    this.receiver.hear(this.handle, this.sink);
    closeWhenCollected(this, this.handle);
    this.renewal =
      credentials &&
      new CredentialsRenewal(this.handle, credentials, (message) =>
        tell({ type: 'warning', code: 'CACHALOT_CONNECTION', message }),
      );
  }

  /** After `close()`: as they stood when it was called; nothing is kept in this process any more. */
  stats(): Stats {
    if (this.lastStats !== undefined) {
      return this.lastStats;
    }
    const { entries, bytes } = this.localCache?.size ?? { entries: 0, bytes: 0 };
    const l1 = { l1Hits: this.localCache?.hits ?? 0, l1Entries: entries, l1Bytes: bytes };
    return { ...(JSON.parse(native.stats(this.handle)) as Stats), ...l1 };
  }

  /** Finishes what is under way, then lets go of connections. Every later call rejects with `CACHALOT_CLOSED`. */
  close(): Promise<void> {
    // At once, so that what it kept is neither served nor said to be there still.
    this.localCache?.close();
    this.renewal?.stop();
    this.closing ??= this.letGo();
    return this.closing;
  }

  /** A write, whose answer is `done`. @param tags whether it clears by tags */
  protected changing<T>(key: string | undefined, tags: boolean, done: Promise<T>): Promise<T> {
    return this.localCache === undefined ? done : this.localCache.during(key, tags, done);
  }

  private heard(event: StoreEvent | Message | CredentialsRefused, tell: (event: StoreEvent) => void): void {
    if (event.type === 'message') {
      this.messages.hear(event.channel, event.payload);
    } else if (event.type === 'credentialsRefused') {
      this.renewal?.refused();
    } else {
      tell(event);
    }
  }

  /**
   * Why a key cannot be asked for now. The most frequent calls are no async functions: to resolve one of those with the
   * promise of an answer costs another promise and three turns of the microtask queue.
   */
  protected refused(key: string): Promise<never> | undefined {
    try {
      checkText('key', key);
      this.open();
      return undefined;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  protected open(): void {
    if (this.closing !== undefined) {
      throw new ClosedError('The cache was closed; create a new one, or close it later.');
    }
  }

  private async letGo(): Promise<void> {
    if (this.clears.size > 0) {
      await Promise.allSettled(this.clears);
    }
    this.batcher.flush();
    closedByItself(this);
    this.lastStats = this.stats();
    try {
      await closeHandle(this.handle);
    } finally {
      this.receiver.forget(this.handle);
    }
  }
}
