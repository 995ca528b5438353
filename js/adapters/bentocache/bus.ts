/** A bus for Bentocache over Redis: it keeps the memory layers of an application's processes in step. */

import { type Check, object, text, unsupported } from '../../options/check.js';
import type { StoreSpec } from '../../options/native-config.js';
import { errorMessage, isOutage } from '../../shared/errors.js';
import type { CacheLogger } from '../../shared/logger.js';
import { type Logger, loggerOption } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import type { NativeStore, StoreEvent } from '../../store/native-store.js';
import { described, openStore } from '../../store/open.js';
import { logOf } from './shared-resources.js';
import type { BusTransport, CreateBusDriverResult, RetryQueueOptions } from './types.js';

export interface CachalotBusOptions {
  /** `redis({ url })`, imported from `cachalot`. Its prefix keeps the messages of applications on one server apart. */
  store: StoreSpec;
  /** Of Bentocache: what it does with messages that could not be sent. @default Bentocache's own */
  retryQueue?: RetryQueueOptions | undefined;
  /** Bentocache's `prefix`, where it was changed: whose memory is emptied after a lost connection. @default `bentocache` */
  prefix?: string | undefined;
  /**
   * Gets a line when an outage begins and one when it ends.
   * @default a warning of the process for each outage
   */
  logger?: CacheLogger | undefined;
}

const redisStore: Check<StoreSpec> = (value, at) => {
  const spec = described(at.caller, value);
  const { backend } = spec.native;
  if (backend.type !== 'redis') {
    throw unsupported(
      at,
      `expected redis({ url }), got ${spec.kind}()`,
      'Only Redis and Valkey carry messages between processes; the layer below may still be any store',
    );
  }
  if (backend.tracking === false) {
    throw unsupported(
      at,
      'expected a store with RESP3, got one with "tracking: false"',
      'Leave "tracking" out of the bus\'s store',
    );
  }
  return spec;
};

/** Bentocache checks what is in it. */
const anyRetryQueue: Check<RetryQueueOptions> = (value) => value as RetryQueueOptions;

const checkOptions = object<CachalotBusOptions>({
  store: redisStore,
  retryQueue: anyRetryQueue,
  prefix: text(),
  logger: loggerOption,
});

/** @param caller whose options these are, for messages */
export function createBus(caller: string, options: CachalotBusOptions): CreateBusDriverResult {
  const { store, retryQueue, prefix, logger } = checkOptions(options, { caller, path: '' });
  const spec = store ?? redisStore(undefined, { caller, path: 'store' });
  return {
    options: retryQueue === undefined ? {} : { retryQueue },
    factory: () => new CachalotTransport(spec, prefix ?? 'bentocache', logOf(logger)),
  };
}

const MEANWHILE = 'The bus carries nothing until it is back; memory layers are emptied then';

/** What Bentocache's bus sends and receives through. */
class CachalotTransport implements BusTransport {
  readonly #store: NativeStore;
  readonly #reconnected: (() => void)[] = [];
  readonly #subscribed = new Map<string, (payload: unknown) => Promise<void>>();
  #id = '';
  /** Connected before, or told that it is not: what others published since may not have been heard. */
  #mayHaveMissed = false;

  /** Bentocache's name for everything: what lies in namespaces has it in front. */
  readonly #namespace: string;
  readonly #log: Logger;
  readonly #outages: OutageLog;

  constructor(spec: StoreSpec, namespace: string, log: Logger) {
    this.#namespace = namespace;
    this.#log = log;
    this.#outages = new OutageLog(log, MEANWHILE);
    log.ignored(spec);
    this.#store = openStore(spec, (event) => this.#event(event));
  }

  /** Messages of this id are its own, and not heard. */
  setId(id: string): this {
    this.#id = id;
    return this;
  }

  onReconnect(callback: () => void): void {
    this.#reconnected.push(callback);
  }

  /** Rejects in an outage: Bentocache keeps the message and sends it later. */
  async publish(channel: string, message: unknown): Promise<void> {
    await this.#store.publish(channel, JSON.stringify({ busId: this.#id, payload: message }));
  }

  /**
   * Resolves in an outage too: the subscription is made with the next connection. Bentocache does not wait for it, so
   * what stands in its way for good is a warning of the process and not an error that would end it.
   */
  // biome-ignore lint/suspicious/noExplicitAny: whatever Bentocache sends.
  async subscribe(channel: string, handler: (payload: any) => void | Promise<void>): Promise<void> {
    const hear = async (payload: unknown) => {
      try {
        await handler(payload);
      } catch (error) {
        // Nobody waits for it, and a rejection that nobody hears of would end the process.
        this.#log.line('warn', `A handler of the bus failed: ${errorMessage(error)}`);
      }
    };
    this.#subscribed.set(channel, hear);
    try {
      await this.#store.subscribe(channel, (text) => {
        const payload = this.#foreign(text);
        if (payload !== undefined) {
          void hear(payload);
        }
      });
    } catch (error) {
      if (!isOutage(error)) {
        this.#log.line('warn', `The bus hears nothing of other processes: ${(error as Error).message}`);
      }
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#subscribed.delete(channel);
    await this.#store.unsubscribe(channel);
  }

  async disconnect(): Promise<void> {
    await this.#store.close();
  }

  /** What another process sent; `undefined` = our own, or nothing of ours. */
  #foreign(text: string): unknown {
    try {
      const { busId, payload } = JSON.parse(text) as { busId?: unknown; payload?: unknown };
      return typeof busId === 'string' && busId !== this.#id ? payload : undefined;
    } catch {
      return undefined;
    }
  }

  #event(event: StoreEvent): void {
    this.#outages.event(event);
    if (event.type === 'warning') {
      // Among them: more messages came than could be kept.
      this.#missed();
    } else if (event.type === 'disconnected') {
      this.#mayHaveMissed = true;
    } else if (this.#mayHaveMissed) {
      this.#missed();
      for (const callback of this.#reconnected) {
        callback();
      }
    } else {
      this.#mayHaveMissed = true;
    }
  }

  /** Pub/sub keeps nothing for who is away: a memory layer that may have missed a message is emptied. */
  #missed(): void {
    for (const hear of this.#subscribed.values()) {
      // What Bentocache sends when everything was cleared.
      void hear({ type: 'clear', keys: [], namespace: this.#namespace });
    }
  }
}
