/** Bentocache's contracts, written out, so that none of it is needed at run time or to compile against this package. */

/** What Bentocache asks of a distributed layer (its `L2CacheDriver`). */
export interface L2CacheDriver {
  type: 'l2';
  /** The same store, below one more part of its keys. */
  namespace(namespace: string): L2CacheDriver;
  get(key: string): Promise<string | undefined>;
  /** The value, and it is gone. */
  pull(key: string): Promise<string | undefined>;
  /** `ttl` in milliseconds; without one, for ever. */
  set(key: string, value: string, ttl?: number): Promise<boolean>;
  clear(): Promise<void>;
  /** Whether something was there. */
  delete(key: string): Promise<boolean>;
  deleteMany(keys: string[]): Promise<boolean>;
  disconnect(): Promise<void>;
}

/** What `useL2Layer` takes (its `CreateDriverResult`). */
export interface CreateDriverResult<T> {
  // biome-ignore lint/suspicious/noExplicitAny: as Bentocache declares it.
  options: Record<string, any>;
  /** Called by Bentocache with its own settings and `options` in one object. */
  // biome-ignore lint/suspicious/noExplicitAny: as Bentocache declares it.
  factory: (config: any) => T;
}

/** What Bentocache's bus sends and receives through (its `BusDriver`, the `Transport` of `@boringnode/bus`). */
export interface BusTransport {
  setId(id: string): BusTransport;
  onReconnect(callback: () => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: whatever Bentocache sends.
  publish(channel: string, message: any): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  subscribe(channel: string, handler: (payload: any) => void | Promise<void>): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  disconnect(): Promise<void>;
}

/** Bentocache's queue of messages that could not be sent. */
export interface RetryQueueOptions {
  /** Whether there is one. @default Bentocache's */
  enabled?: boolean;
  /** Messages kept at most. @default Bentocache's */
  maxSize?: number;
  /** Milliseconds, or text such as `'2s'`. @default Bentocache's */
  retryInterval?: number | string | null | false;
}

/** What `useBus` takes. */
export interface CreateBusDriverResult {
  options: { retryQueue?: RetryQueueOptions };
  // biome-ignore lint/suspicious/noExplicitAny: as Bentocache declares it.
  factory: (config: any) => BusTransport;
}
