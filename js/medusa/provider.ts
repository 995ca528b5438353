/** What the providers of all backends do: Medusa's contract over one store. */
import { CachalotError, TooLargeError } from '../errors.js';
import { NativeStore, type Stats } from '../native.js';
import type { ClearRequest, GetRequest, MedusaCachingProvider, SetRequest } from '../types.js';
import { entryTags, lifetime, optionalKey, raised, requiredKey, serialized, tagList } from './arguments.js';
import type { Face } from './options.js';
import { OutageLog } from './outage-log.js';
import { ProviderLog } from './provider-log.js';
import { loggerOf, settingsFor } from './registration.js';

/** The server is away or too slow. */
const OUTAGE = new Set(['CACHALOT_CONNECTION', 'CACHALOT_TIMEOUT', 'CACHALOT_BUSY']);

/** The caller's to mend. Arguments are checked before the store is asked, so its `CACHALOT_CONFIG` is the connection's. */
const REFUSED = new Set(['CACHALOT_TOO_LARGE', 'CACHALOT_CLOSED']);

/** The server is there, but not for us: wrong credentials, no such database, too old. The link has told of it. */
const UNUSABLE = new Set(['CACHALOT_CONFIG', 'CACHALOT_UNSUPPORTED']);

export abstract class CachingProvider implements MedusaCachingProvider {
  // Not #private: a service may be handed out behind a Proxy, through which #fields cannot be reached.
  private readonly store: NativeStore;
  private readonly log: OutageLog;
  private readonly ttl: number;
  private readonly face: string;
  private closing: Promise<void> | undefined;

  /**
   * Connects in the background.
   * @throws CachalotError if an option is unknown or ill-typed
   */
  protected constructor(face: Face, dependencies: unknown, options: unknown) {
    const settings = settingsFor(face, dependencies, options);
    this.face = face.identifier;
    this.ttl = settings.ttl;
    this.log = new OutageLog(new ProviderLog(loggerOf(dependencies), face.identifier));
    this.store = new NativeStore(settings.store.native, (event) => this.log.event(event));
  }

  /**
   * By `key`: its value, or `null`. By `tags`: the live values that carry any of them, `[]` if there are none.
   * With both the key alone counts, with neither it is `null`, and in an outage it is `null`.
   * @throws ConfigError (rejects) on a key or tag that is no string
   * @throws ClosedError (rejects) after `close()`
   */
  // biome-ignore lint/suspicious/noExplicitAny: Medusa's contract says any, and callers rely on it.
  async get(request: GetRequest): Promise<any> {
    const key = optionalKey(this.face, request?.key);
    const tags = key === undefined ? tagList(this.face, request?.tags) : [];
    try {
      if (key !== undefined) {
        const value = await this.store.get(key);
        return value === undefined ? null : value;
      }
      return tags.length === 0 ? null : await this.store.getByTags(tags);
    } catch (error) {
      this.tolerate('get', error);
      return null;
    }
  }

  /**
   * Stores a value and replaces value, tags and options of the key together. In an outage nothing is stored, and it
   * resolves all the same.
   * @throws ConfigError (rejects) on `undefined` or anything else that JSON cannot hold, an empty key or one that is no
   * string, a ttl that is no finite number of 0 or more; nothing is stored
   * @throws TooLargeError (rejects) on a value over `maxValueBytes` or the server's limit; no older value is left
   * @throws ClosedError (rejects) after `close()`
   */
  async set(request: SetRequest): Promise<void> {
    const key = requiredKey(this.face, request?.key);
    const ttl = lifetime(this.face, request.ttl, this.ttl);
    const tags = entryTags(this.face, request.tags);
    const auto = request.options?.autoInvalidate !== false;
    let data: string;
    try {
      data = serialized(this.face, request.data);
    } catch (error) {
      if (error instanceof TooLargeError) {
        await this.clear({ key });
      }
      throw error;
    }
    try {
      await this.store.set(key, data, ttl, tags, auto);
    } catch (error) {
      this.tolerate('set', error);
    }
  }

  /**
   * Clears the key, whatever the options, and the entries that carry any of the tags: all of them without options,
   * with `{ autoInvalidate: true }` those not stored with `autoInvalidate: false`, with any other options none. The tag
   * `*` is every entry's. In an outage the clear is kept, replayed before the first read after it, and resolves.
   * @throws ConfigError (rejects) on a key or tag that is no string
   * @throws ServerError (rejects) if the server refused it: the entries may still be there
   * @throws ClosedError (rejects) after `close()`
   */
  async clear(request: ClearRequest): Promise<void> {
    const key = optionalKey(this.face, request?.key);
    const raise = raised(request?.options);
    const given = tagList(this.face, request?.tags);
    const tags = raise === undefined ? [] : given;
    if (key === undefined && tags.length === 0) {
      return;
    }
    try {
      await this.store.clear({ ...(key === undefined ? {} : { key }), tags, raise: raise ?? 'all' });
    } catch (error) {
      if (error instanceof CachalotError && error.queued) {
        this.log.queued(error);
      } else {
        throw error;
      }
    }
  }

  /** Counters since the provider was made. */
  stats(): Stats {
    return this.store.stats();
  }

  /** Finishes what is under way, then lets go of connections. Every later call rejects with `CACHALOT_CLOSED`. */
  close(): Promise<void> {
    this.closing ??= this.store.close();
    return this.closing;
  }

  /** A cache may miss; what the caller must mend is thrown on. */
  private tolerate(what: 'get' | 'set', thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const code = error instanceof CachalotError ? error.code : undefined;
    if (code === undefined || REFUSED.has(code)) {
      throw thrown;
    }
    if (OUTAGE.has(code) || UNUSABLE.has(code)) {
      this.log.outage(error);
    } else {
      this.log.failed(what, error);
    }
  }
}
