/**
 * L1: values of one store kept in JavaScript, so that a hit costs no request. Whether a value still holds is read from
 * counters that the core writes from its own thread (src/model/version_table.rs); nothing has to reach the event loop for that.
 */
import { LRUCache } from 'lru-cache';
import type { LocalCacheSettings } from '../options/native-config.js';
import { frozen, weightOf } from './freeze.js';

/** Words before the counters. As src/model/version_table.rs writes them. */
const HEADER = 8;
const ALL = 0;
const HEARD = 2;
const USED = 3;
const LEASH = 4;
/** Something was cleared, and what is not known yet. */
const BEHIND = 5;

/** Units of a stamp before its slots: the sum (2), the expiry (4), whether the text takes two bytes a unit. */
const HEAD = 7;

/** What an entry takes beside its key and text, in bytes: 240 to 310 with some 100,000 of them, Node 20. */
const OVERHEAD = 320;

/** A value larger than this part of the tier is not kept: it would push out what is asked for more often. */
const LARGEST_PART = 8;

/** As it was at first. A connection is silent in real time, whatever a test's clock says. */
const realNow = Date.now;

interface Entry {
  /** What was stored; `undefined` once it is shared. */
  stored: string | Uint8Array | undefined;
  /** The parsed value, frozen. */
  shared: unknown;
  /** Names the counters, from `HEAD` on. */
  readonly stamp: string;
  /** Of the counters, when what the value depends on was read. */
  readonly sum: number;
  /** Milliseconds since 1970. */
  readonly ends: number;
}

/** A hit of the store with its stamp. */
export type Stamped = [stored: string | Uint8Array, stamp: string];

/** What a read that asked for a stamp is answered. */
export type Answer = string | Uint8Array | Stamped | undefined;

export class LocalCache {
  hits = 0;
  readonly share: boolean;
  private readonly entries: LRUCache<string, Entry>;
  private readonly words: Uint32Array;
  private readonly leash: number;
  /** Keys with writes of this store under way, and how many: what was read before must not be kept after. */
  private readonly writing = new Map<string, number>();
  /** Clears by tags of this store under way: what follows one in the program sees it. */
  private clearing = 0;
  /** Of what is kept: once it has changed, nothing is of use any more. */
  private all: number;
  private closed = false;

  constructor(counters: ArrayBuffer, settings: LocalCacheSettings) {
    const { maxBytes, share } = settings;
    this.share = share;
    this.entries = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: Math.max(1, Math.floor(maxBytes / LARGEST_PART)),
    });
    this.words = new Uint32Array(counters);
    this.leash = this.words[LEASH] as number;
    this.all = this.words[ALL] as number;
  }

  /** Entries kept, and their bytes. */
  get size(): { entries: number; bytes: number } {
    this.renew();
    return { entries: this.entries.size, bytes: this.entries.calculatedSize };
  }

  /** The value of JSON text; `undefined` = to be asked of the store. */
  value(key: string): unknown {
    const entry = this.entries.get(key);
    if (entry === undefined || !this.holds(key, entry)) {
      return undefined;
    }
    if (entry.shared !== undefined) {
      this.hits++;
      return entry.shared;
    }
    if (typeof entry.stored !== 'string') {
      return undefined;
    }
    let value: unknown;
    try {
      value = JSON.parse(entry.stored);
    } catch {
      // The store's own reader tells of it.
      this.entries.delete(key);
      return undefined;
    }
    this.hits++;
    return this.share ? this.sharing(key, entry, value) : value;
  }

  /** What was stored, bytes as a copy; `undefined` = to be asked of the store. */
  stored(key: string): string | Uint8Array | undefined {
    const entry = this.entries.get(key);
    if (entry?.stored === undefined || !this.holds(key, entry)) {
      return undefined;
    }
    this.hits++;
    return typeof entry.stored === 'string' ? entry.stored : Uint8Array.prototype.slice.call(entry.stored);
  }

  has(key: string): boolean {
    const entry = this.entries.get(key);
    const there = entry !== undefined && this.holds(key, entry);
    this.hits += there ? 1 : 0;
    return there;
  }

  /** What the store answered to a read; a hit with its stamp is kept. */
  received(key: string, answer: Answer): string | Uint8Array | undefined {
    if (!Array.isArray(answer)) {
      return answer;
    }
    this.keep(key, answer);
    return answer[0];
  }

  /** The same, parsed. @param corrupt told of text that is not JSON, which is a miss */
  parsed(key: string, answer: Answer, corrupt: (why: unknown) => void): unknown {
    const stored = Array.isArray(answer) ? answer[0] : answer;
    if (typeof stored !== 'string') {
      return stored;
    }
    let value: unknown;
    try {
      value = JSON.parse(stored);
    } catch (why) {
      corrupt(why);
      return undefined;
    }
    if (Array.isArray(answer)) {
      this.keep(key, answer, value);
    }
    return this.share ? frozen(value) : value;
  }

  /**
   * A write of this store, from when it is asked for until the core has counted it: what it concerns is neither served nor
   * kept meanwhile.
   * @param tags whether it clears by tags
   */
  async during<T>(key: string | undefined, tags: boolean, done: Promise<T>): Promise<T> {
    if (key !== undefined) {
      this.entries.delete(key);
      this.writing.set(key, (this.writing.get(key) ?? 0) + 1);
    }
    this.clearing += tags ? 1 : 0;
    try {
      return await done;
    } finally {
      this.clearing -= tags ? 1 : 0;
      const left = key === undefined ? 0 : (this.writing.get(key) ?? 1) - 1;
      if (key !== undefined && left === 0) {
        this.writing.delete(key);
      } else if (key !== undefined) {
        this.writing.set(key, left);
      }
    }
  }

  /** Lets go of everything, and keeps nothing more. */
  close(): void {
    this.closed = true;
    this.entries.clear();
  }

  /** @param value what the text was parsed to, if it was */
  private keep(key: string, [stored, stamp]: Stamped, value?: unknown): void {
    this.renew();
    const sum = stamp.charCodeAt(0) | (stamp.charCodeAt(1) << 16);
    if (this.closed || this.writing.has(key) || this.sum(stamp) !== sum) {
      return;
    }
    let ends = 0;
    for (let at = 5; at >= 2; at--) {
      ends = ends * 65_536 + stamp.charCodeAt(at);
    }
    const text = typeof stored === 'string';
    const entry: Entry = {
      stored: text ? stored : Uint8Array.prototype.slice.call(stored),
      shared: undefined,
      stamp,
      sum,
      ends,
    };
    if (this.share && value !== undefined) {
      this.sharing(key, entry, value);
      return;
    }
    this.entries.set(key, entry, { size: stored.length * (text ? width(stamp) : 1) + aside(key, stamp) });
  }

  private sharing(key: string, entry: Entry, value: unknown): unknown {
    entry.shared = frozen(value);
    entry.stored = undefined;
    this.entries.set(key, entry, { size: weightOf(value, width(entry.stamp)) + aside(key, entry.stamp) });
    return value;
  }

  private holds(key: string, entry: Entry): boolean {
    if (this.sum(entry.stamp) !== entry.sum) {
      this.renew();
      this.entries.delete(key);
      return false;
    }
    const now = Date.now();
    if (now >= entry.ends) {
      this.entries.delete(key);
      return false;
    }
    if (this.clearing > 0) {
      return false;
    }
    const { words } = this;
    if (this.leash > 0) {
      if (words[BEHIND] !== 0) {
        return false;
      }
      // Lower 32 bits of both: a clock that was set back gives a large number. The entry is kept: it holds again once
      // the server has been heard.
      const real = Date.now === realNow ? now : realNow();
      if ((real - (words[HEARD] as number)) >>> 0 >= this.leash) {
        return false;
      }
      words[USED] = 1;
    }
    return true;
  }

  /** After a lost connection, or a clear of everything: the memory goes too, and not only what is served. */
  private renew(): void {
    const all = this.words[ALL] as number;
    if (all !== this.all) {
      this.all = all;
      this.entries.clear();
    }
  }

  private sum(stamp: string): number {
    const { words } = this;
    let sum = words[ALL] as number;
    for (let at = HEAD; at < stamp.length; at++) {
      sum += words[HEADER + stamp.charCodeAt(at)] as number;
    }
    return sum | 0;
  }
}

/** Bytes of a unit of the value's text. */
function width(stamp: string): 1 | 2 {
  return stamp.charCodeAt(HEAD - 1) === 1 ? 2 : 1;
}

/** Two bytes for each unit of a key: what it is made of is not known. */
function aside(key: string, stamp: string): number {
  return 2 * (key.length + stamp.length) + OVERHEAD;
}
