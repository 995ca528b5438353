/** Keyv's storage adapter over one store. */
import { EventEmitter } from 'node:events';
import { type Duration, parseDuration } from '../../options/duration.js';
import type { UrlObject } from '../../options/redis-url.js';
import { guarded } from '../../options/stale-write-guard.js';
import { ConfigError, errorMessage } from '../../shared/errors.js';
import { Logger, processWarnings } from '../../shared/logger.js';
import { OutageLog } from '../../shared/outage-log.js';
import type { KeyPage, NativeStore, Stats } from '../../store/native-store.js';
import { described as describedStore, openStore } from '../../store/open.js';
import { KeyMapper, tagsOfName } from './key-mapper.js';
import { KeyvVersion } from './keyv-version.js';
import { type BesideUrl, type CachalotKeyvOptions, checkOptions, joined } from './options.js';
import type { CachalotKeyvDescription, CachalotKeyvEntry, CachalotKeyvEvents } from './types.js';
import { packed, unpacked } from './values.js';

const CALLER = 'CachalotKeyv';

/** Each Keyv on an adapter listens to it: as many as Keyv allows of its own listeners. */
const MAX_LISTENERS = 100;

/** Values that an iterator reads at a time: one batch, and as many of them are in memory at once. */
const ITERATED_AT_ONCE = 256;

/**
 * `new Keyv({ store: new CachalotKeyv({ store: redis({ url }) }) })`. One adapter for each Keyv: Keyv tells it its
 * namespace, and a clear is of the namespace told last.
 *
 * An outage is a miss: reads answer `undefined`, writes `false`, and `error` is emitted. Arguments that no store could
 * take (a key that is no string, a negative ttl) reject with `ConfigError`.
 */
export class CachalotKeyv {
  /** Keyv's to read, and its serializers' to write to. */
  readonly opts: CachalotKeyvDescription;
  /**
   * All entries of the namespace (`undefined` = of every one), each with its key as `get` takes it. A key may come twice
   * if the server resizes its table meanwhile; it throws in an outage. Absent on memcached, which cannot list its keys:
   * Keyv sees that there is none.
   */
  declare readonly iterator?: <Value>(
    namespace?: string,
  ) => AsyncGenerator<Array<string | Awaited<Value> | undefined>, void>;
  // Not #private: a store may be reached through a Proxy.
  private readonly events = new EventEmitter();
  private readonly names: KeyMapper;
  private readonly store: NativeStore;
  private readonly throwing: boolean;
  private readonly watch = new KeyvVersion();

  /**
   * Connects in the background.
   * @throws ConfigError that names the option, what was expected and what came
   */
  constructor(options: CachalotKeyvOptions);
  /** On Redis by its URL, as `new KeyvRedis('redis://…', { namespace })`. */
  constructor(url: string | UrlObject, options?: BesideUrl<CachalotKeyvOptions>);
  constructor(given: CachalotKeyvOptions | string | UrlObject, beside?: BesideUrl<CachalotKeyvOptions>) {
    const checked = checkOptions(CALLER, joined(CALLER, given, beside));
    const described = describedStore(CALLER, checked.store, checked.prefix);
    const spec = checked.guardSets === true ? guarded(described) : described;
    this.names = new KeyMapper(CALLER, checked.useKeyPrefix === false);
    this.names.namespace = checked.namespace;
    this.throwing = checked.throwOnErrors ?? false;
    this.opts = {
      // Keyv 5 has a list of dialects whose iterator it uses, and memory is not on it.
      dialect: spec.kind === 'memory' ? 'redis' : spec.kind,
      url: `${spec.kind}://${spec.servers.join(',')}`,
    };
    if (spec.kind !== 'memcached') {
      this.iterator = (namespace) => this.entries(namespace);
    }
    this.events.setMaxListeners(MAX_LISTENERS);
    // Keyv's own listener hands on to whoever listens to Keyv, and often nobody does.
    const heard = () => this.events.listenerCount('error') > this.watch.listeners;
    const log = new Logger(checked.logger ?? processWarnings(heard), CALLER);
    if (checked.ignored.length > 0) {
      log.ignored(checked);
    }
    const outages = new OutageLog(log);
    this.store = openStore(spec, (event) => {
      outages.event(event);
      this.events.emit(event.type, event);
    });
  }

  /** Set by Keyv. Keys of other namespaces are kept apart, and a clear clears this one alone; `undefined` = none. */
  get namespace(): string | undefined {
    this.watch.namespaceRead();
    return this.names.namespace;
  }

  set namespace(namespace: string | undefined) {
    this.names.namespace = namespace;
    this.watch.namespaceSet();
  }

  /**
   * Nothing to tell: what the adapter has Keyv 6 finds out. That it asks is the first of the steps by which it is known.
   * @internal
   */
  get capabilities(): undefined {
    this.watch.capabilitiesRead();
    return undefined;
  }

  /**
   * @returns what was set; `undefined` = a miss, or an outage
   * @throws ConfigError (rejects) on a key that is empty, no string or over 65,535 bytes
   */
  async get<Value>(key: string): Promise<Value | undefined> {
    let name: string;
    try {
      name = this.names.of(key);
    } catch (error) {
      // Keyv 5 keeps silent about what a get throws.
      this.report(error);
      throw error;
    }
    try {
      return (await this.read(name)) as Value | undefined;
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  /** As `get`, in the order of the keys. */
  async getMany<Value>(keys: readonly string[]): Promise<Array<Value | undefined>> {
    return this.many(keys, (name) => this.read(name) as Promise<Value | undefined>, undefined);
  }

  /**
   * @param ttl milliseconds, or text such as '5m'; missing = for ever, 0 = store nothing and leave no older value
   * @returns whether it was stored: `false` in an outage, and if a clear came between its miss and it
   * @throws ConfigError (rejects) on a key as in `get`, a ttl that is negative or no number, or a value that cannot be kept
   */
  async set(key: string, value: unknown, ttl?: Duration | undefined): Promise<boolean> {
    const name = this.names.of(key);
    const [stored, ms] = [packed(CALLER, value), lifetime(ttl)];
    try {
      return await this.store.set(name, stored, ms, tagsOfName(name), true);
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** As `set`, of each. */
  async setMany(entries: readonly CachalotKeyvEntry[]): Promise<boolean[]>;
  /** As Keyv 5 declares it. */
  async setMany(entries: readonly CachalotKeyvEntry[]): Promise<void>;
  async setMany(entries: readonly CachalotKeyvEntry[]): Promise<unknown> {
    const writes = entries.map(({ key, value, ttl }) => {
      const name = this.names.of(key);
      return { name, stored: packed(CALLER, value), ms: lifetime(ttl) };
    });
    const sets = writes.map(({ name, stored, ms }) =>
      this.store.set(name, stored, ms, tagsOfName(name), true),
    );
    return this.settled(sets, false);
  }

  /** @returns whether it was there; `false` also in an outage, in which the delete is kept and replayed */
  async delete(key: string): Promise<boolean> {
    const name = this.names.of(key);
    try {
      return await this.remove(name);
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** @returns whether any was there; `false` if a delete failed */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    let whole = true;
    const removed = await this.many(
      keys,
      (name) =>
        this.remove(name).catch((error: unknown) => {
          whole = false;
          throw error;
        }),
      false,
    );
    return whole && removed.includes(true);
  }

  /**
   * Clears the namespace, or without one everything of the store's prefix; at the same cost whatever is in it. In an
   * outage it is kept and replayed before the first read after it.
   */
  async clear(): Promise<void> {
    try {
      await this.store.clear({ tags: [this.names.clearTag()] });
    } catch (error) {
      this.failed(error);
    }
  }

  /** @returns whether it is there; `false` also in an outage */
  async has(key: string): Promise<boolean> {
    const name = this.names.of(key);
    try {
      return await this.store.has(name);
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** As `has`, in the order of the keys. */
  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return this.many(keys, (name) => this.store.has(name), false);
  }

  /** Finishes what is under way, then lets go of connections. Every later call fails with `CACHALOT_CLOSED`. */
  async disconnect(): Promise<void> {
    await this.store.close();
  }

  /** Counters since the adapter was made. */
  stats(): Stats {
    return this.store.stats();
  }

  on<Name extends keyof CachalotKeyvEvents>(
    event: Name,
    listener: (told: CachalotKeyvEvents[Name]) => void,
  ): this;
  on(event: string, listener: (...told: never[]) => void): this;
  on(event: string, listener: (...told: never[]) => void): this {
    this.events.on(event, listener as () => void);
    if (event === 'error' && this.watch.errorHeard()) {
      // Keyv 6 leaves it to the store to put the namespace before its keys.
      this.names.keysArePlain = true;
    }
    return this;
  }

  off(event: string, listener: (...told: never[]) => void): this {
    this.events.off(event, listener as () => void);
    return this;
  }

  private async *entries<Value>(
    namespace: string | undefined,
  ): AsyncGenerator<Array<string | Awaited<Value> | undefined>, void> {
    const start = this.names.keyPrefix(namespace);
    let cursor: number | undefined = 0;
    while (cursor !== undefined) {
      const page: KeyPage = await this.store.keys(start, cursor);
      const names = [...new Set(page.keys)];
      while (names.length > 0) {
        const some = names.splice(-ITERATED_AT_ONCE);
        // Not by `get`: what is listed and gone is no miss that a set follows.
        const readings = await Promise.all(some.map((name) => this.store.read(name)));
        for (const [index, { value }] of readings.entries()) {
          const known = value === undefined ? undefined : this.opened(value);
          if (known !== undefined) {
            yield [this.names.keyOf(some[index] as string, namespace), known as Awaited<Value>];
          }
        }
      }
      cursor = page.next;
    }
  }

  private async read(name: string): Promise<unknown> {
    const stored = await this.store.getText(name);
    return stored === undefined ? undefined : this.opened(stored);
  }

  private async remove(name: string): Promise<boolean> {
    return this.store.remove(name);
  }

  /** A value that cannot be read is told of and left out, as it is a miss to a get. */
  private opened(stored: string | Uint8Array): unknown {
    try {
      return unpacked(CALLER, stored);
    } catch (error) {
      this.report(error);
      return undefined;
    }
  }

  private async many<Answer>(
    keys: readonly string[],
    ask: (name: string) => Promise<Answer>,
    otherwise: Answer,
  ): Promise<Answer[]> {
    if (!Array.isArray(keys)) {
      throw new ConfigError(`${CALLER}: keys: expected an array of strings, got ${typeof keys}.`);
    }
    const names = keys.map((key) => this.names.of(key));
    return this.settled(names.map(ask), otherwise);
  }

  /** The answers of one call, which fails with one event however many of them failed. */
  private async settled<Answer>(answers: Promise<Answer>[], otherwise: Answer): Promise<Answer[]> {
    const results = await Promise.allSettled(answers);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) {
      this.failed(failure.reason);
    }
    return results.map((result) => (result.status === 'fulfilled' ? result.value : otherwise));
  }

  private failed(error: unknown): void {
    this.report(error);
    if (this.throwing) {
      throw error;
    }
  }

  private report(error: unknown): void {
    // An 'error' that nobody listens to would be thrown.
    if (this.events.listenerCount('error') === 0) {
      return;
    }
    try {
      this.events.emit('error', error);
    } catch (thrown) {
      // A listener's defect must not cost the answer.
      process.emitWarning(
        `A listener of ${CALLER}'s errors threw: ${errorMessage(thrown)}`,
        'CachalotWarning',
      );
    }
  }
}

/** Milliseconds. */
function lifetime(ttl: unknown): number {
  return ttl === undefined || ttl === null || ttl === Infinity ? Infinity : parseDuration(CALLER, 'ttl', ttl);
}
