import type { Answer } from '../local-cache/local-cache.js';
import { isOutage } from '../shared/errors.js';
import {
  checkChannel,
  checkCursor,
  checkExtra,
  checkLifetime,
  checkOwner,
  checkText,
  checkValue,
  lockTime,
} from './argument-checks.js';
import type { Extra, Times } from './batch-encoder.js';
import type { Listener } from './channel-listeners.js';
import { oneByOne } from './clear-parts.js';
import type { Stats, StoreEvent } from './events.js';
import { type KeyPage, type Reading, ReplyType, reading } from './pending-batch.js';
import { NO_TAGS, type TagList, type Tags, taken } from './tags.js';

export type { Extra, KeyPage, Reading, Stats, StoreEvent, Times };

import { StoreConnection } from './store-connection.js';

interface ClearTarget {
  key?: string;
  tags?: Tags;
  /** `auto` spares entries that were set with `auto: false`. @default 'all' */
  raise?: 'all' | 'auto';
}

/** An open store, with the operations that can be asked of it. */
export class NativeStore extends StoreConnection {
  /** @returns the value, parsed from JSON (bytes as they are); `undefined` = a miss */
  get(key: string): Promise<unknown> {
    const refused = this.refused(key);
    if (refused !== undefined) {
      return refused;
    }
    const { localCache } = this;
    this.batch.get(key, true, localCache !== undefined);
    return localCache === undefined
      ? this.batcher.add(ReplyType.Json)
      : this.batcher
          .add(ReplyType.Stamped)
          .then((answer) => localCache.parsed(key, answer as Answer, this.corrupt));
  }

  /**
   * @param remember whether a set may follow a miss
   * @returns the value as it was given to `set`; `undefined` = a miss
   */
  getText(key: string, remember = true): Promise<string | Uint8Array | undefined> {
    const refused = this.refused(key);
    if (refused !== undefined) {
      return refused;
    }
    const { localCache } = this;
    this.batch.get(key, remember, localCache !== undefined);
    return localCache === undefined
      ? (this.batcher.add(ReplyType.Raw) as Promise<string | Uint8Array | undefined>)
      : this.batcher.add(ReplyType.Stamped).then((answer) => localCache.received(key, answer as Answer));
  }

  /**
   * A read whose caller carries the guard of the set that may follow: nothing is remembered here.
   * @param times whether those of a fresh value are wanted too
   */
  read(key: string, times = false): Promise<Reading> {
    const refused = this.refused(key);
    if (refused !== undefined) {
      return refused;
    }
    const { localCache } = this;
    if (localCache === undefined || times) {
      this.batch.read(key, times, false);
      return this.batcher.add(ReplyType.Reading) as Promise<Reading>;
    }
    this.batch.read(key, false, true);
    return this.batcher.add(ReplyType.Stamped).then((given) => {
      const answer = given as Answer | Parameters<typeof reading>;
      // More fields than a value and its stamp: there was nothing fresh.
      return Array.isArray(answer) && answer.length > 2
        ? reading(...(answer as Parameters<typeof reading>))
        : reading(localCache.received(key, answer as Answer) ?? null);
    });
  }

  /** Whether `get` would hit. Guards no set. */
  async has(key: string): Promise<boolean> {
    checkText('key', key);
    this.open();
    this.batch.has(key);
    return this.batcher.add(ReplyType.Done) as Promise<boolean>;
  }

  /**
   * Some hundred keys at once: one operation, one promise.
   * @param json whether values are parsed; else they are as they were given to `set`
   * @returns of each key, in order, its value; `undefined` = a miss; a `CachalotError` = this key's failure
   */
  getMany(keys: readonly string[], json: boolean): Promise<unknown[]> {
    try {
      for (const key of keys) {
        checkText('key', key);
      }
      this.open();
    } catch (error) {
      return Promise.reject(error);
    }
    this.batch.getMany(keys);
    return this.batcher.add(json ? ReplyType.Many : ReplyType.ManyRaw) as Promise<unknown[]>;
  }

  /** @returns the live values that carry any of the tags */
  async getByTags(tags: Tags): Promise<unknown[]> {
    const list = taken(tags);
    this.open();
    this.batch.getByTags(list);
    return this.batcher.add(ReplyType.List) as Promise<unknown[]>;
  }

  /**
   * @param value JSON text, or bytes; bytes are read when the turn ends
   * @param ttlMs milliseconds, `Infinity` = for ever, 0 = store nothing and leave no older value
   * @param auto whether clears that raise `auto` reach it
   * @returns false if a clear since its miss made it too old: nothing was stored
   */
  async set(
    key: string,
    value: string | Uint8Array,
    ttlMs: number,
    tags: Tags,
    auto: boolean,
    extra?: Extra,
  ): Promise<boolean> {
    checkText('key', key);
    const list = taken(tags);
    checkValue(value);
    checkExtra(extra);
    checkLifetime(ttlMs);
    this.open();
    this.batch.set(key, value, ttlMs, list, auto, extra);
    // A lifetime of 0 is a clear, which answers nothing: done as asked.
    return (await this.changing(key, false, this.batcher.add(ReplyType.Done))) !== false;
  }

  /** Clears the key. @returns whether it was there; false too if that could not be asked */
  async remove(key: string): Promise<boolean> {
    checkText('key', key);
    this.open();
    this.batch.remove(key);
    return this.changing(key, false, this.batcher.add(ReplyType.Done)) as Promise<boolean>;
  }

  /**
   * The key whatever else is asked; then the tags (`*` is every entry's). Finished when the server acknowledged it. What
   * is beyond one part of tags (js/store/tags.ts) is asked for after what else the turn asks for.
   */
  async clear(target: ClearTarget): Promise<void> {
    const { key, tags = NO_TAGS, raise = 'all' } = target;
    if (key !== undefined) {
      checkText('key', key);
    }
    const list = taken(tags);
    this.open();
    const parts = list.parts();
    this.batch.clear(key, parts[0] as TagList, raise);
    const first = this.batcher.add(ReplyType.Done);
    const done = parts.length === 1 ? first : this.clearRest(first, parts.slice(1), raise);
    await this.changing(key, list.size > 0, done);
  }

  /**
   * Gets a fresh value and deletes it: of many callers, in any process, exactly one has it. In an outage it rejects;
   * whether the last entry asked for was deleted is then unknown only if the connection was lost meanwhile.
   * @returns the value as it was given to `set`; `undefined` = a miss
   */
  async take(key: string): Promise<string | Uint8Array | undefined> {
    checkText('key', key);
    this.open();
    this.batch.take(key);
    return this.changing(key, false, this.batcher.add(ReplyType.Raw)) as Promise<
      string | Uint8Array | undefined
    >;
  }

  /**
   * Makes an entry that has times stale from now on; any other is deleted. Sets under way with older data are refused.
   * Rejects with `queued` in an outage: it is then a deletion, made before the first read after it.
   */
  async expire(key: string): Promise<void> {
    checkText('key', key);
    this.open();
    this.batch.expire(key);
    await this.changing(key, false, this.batcher.add(ReplyType.Done));
  }

  /**
   * A page of the keys that begin with `prefix`. On memory all are one page; on Redis a page may be empty and not the last.
   * @param cursor 0 = the first page, then `next` of the page before
   * @throws CachalotError `CACHALOT_UNSUPPORTED` on memcached
   */
  async keys(prefix: string, cursor: number): Promise<KeyPage> {
    checkText('prefix', prefix);
    checkCursor(cursor);
    this.open();
    this.batch.keys(prefix, cursor);
    return this.batcher.add(ReplyType.Keys) as Promise<KeyPage>;
  }

  /**
   * Takes a key's lock, or extends it if `owner` has it. It ends after `ms` (on memcached up to two seconds later).
   * What is asked of the key in the same turn after it is done after it.
   * @returns false: another has it
   */
  async lock(key: string, owner: string, ms: number): Promise<boolean> {
    checkText('key', key);
    checkOwner(owner);
    const whole = lockTime(ms);
    this.open();
    this.batch.lock(key, owner, whole);
    return this.batcher.add(ReplyType.Done) as Promise<boolean>;
  }

  /** Gives a lock back; another owner's is left alone. */
  async unlock(key: string, owner: string): Promise<void> {
    checkText('key', key);
    checkOwner(owner);
    this.open();
    this.batch.unlock(key, owner);
    await this.batcher.add(ReplyType.Done);
  }

  /**
   * Sends text to all who subscribed to the channel, in every process with a store of this prefix. Nothing is kept for
   * those who are away.
   * @throws CachalotError `CACHALOT_UNSUPPORTED` on other stores than Redis
   */
  async publish(channel: string, text: string): Promise<void> {
    checkChannel(channel);
    checkText('text', text);
    this.open();
    this.batch.publish(channel, text);
    await this.batcher.add(ReplyType.Done);
  }

  /**
   * Calls `listener` with what is published, from when it resolves until `unsubscribe` or `close`, over every connection
   * that the store will have; what is published between two of them is missed. An idle process ends all the same.
   * Rejects in an outage: the subscription is kept, and made with the next connection.
   * @throws CachalotError `CACHALOT_UNSUPPORTED` on other stores than Redis, and without RESP3 (`tracking: false`)
   */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    checkChannel(channel);
    this.open();
    this.messages.add(channel, listener);
    this.batch.subscribe(channel);
    try {
      await this.batcher.add(ReplyType.Done);
    } catch (error) {
      if (!isOutage(error)) {
        this.messages.delete(channel, listener);
      }
      throw error;
    }
  }

  /** All listeners of the channel. */
  async unsubscribe(channel: string): Promise<void> {
    checkChannel(channel);
    this.open();
    if (this.messages.deleteAll(channel)) {
      this.batch.unsubscribe(channel);
      await this.batcher.add(ReplyType.Done);
    }
  }

  private async clearRest(first: Promise<unknown>, rest: readonly TagList[], raise: 'all' | 'auto') {
    const done = oneByOne(first, rest, (part) => {
      this.batch.clear(undefined, part, raise);
      return this.batcher.add(ReplyType.Done);
    });
    this.clears.add(done);
    try {
      await done;
    } finally {
      this.clears.delete(done);
    }
  }
}
