/** Medusa's interfaces of a caching provider, written out so that nothing of Medusa's is imported. */

/** What Medusa's Caching Module asks of a provider (`ICachingProviderService`). */
export interface MedusaCachingProvider {
  // biome-ignore lint/suspicious/noExplicitAny: as in Medusa, where callers rely on it.
  get(request: GetRequest): Promise<any>;
  set(request: SetRequest): Promise<void>;
  clear(request: ClearRequest): Promise<void>;
}

export interface GetRequest {
  key?: string | undefined;
  /** Ignored where a key is given. */
  tags?: string[] | undefined;
}

export interface SetRequest {
  key: string;
  /** Anything that JSON can hold, `null`, `false`, `0` and `''` included. */
  data: unknown;
  /** Seconds. 0 stores nothing and leaves no older value. @default the provider's own */
  ttl?: number | undefined;
  tags?: string[] | undefined;
  options?: InvalidationOptions | undefined;
}

export interface ClearRequest {
  key?: string | undefined;
  /** `*` is every entry's. */
  tags?: string[] | undefined;
  options?: InvalidationOptions | undefined;
}

export interface InvalidationOptions {
  /**
   * On `set`: `false` keeps the entry from automatic invalidation. On `clear`: `true` spares such entries.
   * @default true on `set`
   */
  autoInvalidate?: boolean | undefined;
}
