/** One turn's operations, packed as src/binding/batch.rs unpacks them. */
import type { TagList } from './tags.js';

const GET = 1;
const GET_TAGS = 2;
const SET = 3;
const CLEAR = 4;
const TAKE = 5;
const EXPIRE = 6;
const KEYS = 7;
const LOCK = 8;
const UNLOCK = 9;
const PUBLISH = 10;
const SUBSCRIBE = 11;
const UNSUBSCRIBE = 12;
const GET_MANY = 13;
const REMOVE = 14;

const REMEMBER = 1 << 8;
const TICKET = 2 << 8;
const PRESENCE = 4 << 8;
const TIMES = 8 << 8;
const STAMP = 16 << 8;
const AUTO = 1 << 8;
const BINARY = 2 << 8;
const TIMED = 4 << 8;
const TICKETED = 8 << 8;
const KEYED = 1 << 8;
const RAISE_AUTO = 2 << 8;

const TWO_32 = 2 ** 32;
/** All ones, in both words of a lifetime: for ever. */
const ALL_ONES = TWO_32 - 1;

/** Room for 64 gets; grows by doubling. */
const FIRST_WORDS = 256;

/** Room for the usual turn's operations with their tags. What a longer list needed is given back. */
const KEPT_WORDS = 16_384;

/** How old an entry is, and what it took to make. One that has times is kept while it is stale, for `read`. */
export interface Times {
  /** Milliseconds since 1970. */
  created: number;
  /** Milliseconds since 1970 from which on it is stale; `Infinity` = fresh as long as it lives. */
  freshUntil: number;
  /** Milliseconds that its making took. */
  cost: number;
}

/** What a set may bring along. */
export interface Extra {
  /** Of the `read` that the value answers: the set is refused if a clear came since. */
  ticket?: string | undefined;
  times?: Times | undefined;
}

export class BatchEncoder {
  words = new Uint32Array(FIRST_WORDS);
  /** Words in use. */
  length = 0;
  /** All keys and tags; V8 joins it when the core reads it. */
  text = '';
  values: (string | Uint8Array)[] = [];
  /** Units of text and values. */
  weight = 0;

  /** @param stamp whether a hit is to be kept in L1 */
  get(key: string, remember: boolean, stamp: boolean): void {
    this.reserve(2);
    this.word(GET | (remember ? REMEMBER : 0) | (stamp ? STAMP : 0));
    this.part(key);
  }

  read(key: string, times: boolean, stamp: boolean): void {
    this.reserve(2);
    this.word(GET | TICKET | (times ? TIMES : 0) | (stamp ? STAMP : 0));
    this.part(key);
  }

  has(key: string): void {
    this.reserve(2);
    this.word(GET | PRESENCE);
    this.part(key);
  }

  getMany(keys: readonly string[]): void {
    this.reserve(2 + keys.length);
    this.word(GET_MANY);
    this.word(keys.length);
    for (const key of keys) {
      this.part(key);
    }
  }

  getByTags(tags: TagList): void {
    this.reserve(2 + tags.size);
    this.word(GET_TAGS);
    this.tags(tags);
  }

  set(
    key: string,
    value: string | Uint8Array,
    ttlMs: number,
    tags: TagList,
    auto: boolean,
    extra?: Extra,
  ): void {
    this.reserve(10 + tags.size);
    const times = extra?.times;
    const ticket = extra?.ticket;
    const binary = typeof value !== 'string';
    const extras = (times === undefined ? 0 : TIMED) | (ticket === undefined ? 0 : TICKETED);
    this.word(SET | (auto ? AUTO : 0) | (binary ? BINARY : 0) | extras);
    this.part(key);
    if (ticket !== undefined) {
      this.text += ticket;
      this.weight += ticket.length;
    }
    this.long(ttlMs);
    if (times !== undefined) {
      this.long(times.created);
      this.long(times.freshUntil);
      this.word(Math.min(Math.ceil(times.cost), ALL_ONES));
    }
    this.tags(tags);
    this.values.push(value);
    this.weight += value.length;
  }

  clear(key: string | undefined, tags: TagList, raise: 'all' | 'auto'): void {
    this.reserve(3 + tags.size);
    this.word(CLEAR | (key === undefined ? 0 : KEYED) | (raise === 'auto' ? RAISE_AUTO : 0));
    if (key !== undefined) {
      this.part(key);
    }
    this.tags(tags);
  }

  take(key: string): void {
    this.reserve(2);
    this.word(TAKE);
    this.part(key);
  }

  remove(key: string): void {
    this.reserve(2);
    this.word(REMOVE);
    this.part(key);
  }

  expire(key: string): void {
    this.reserve(2);
    this.word(EXPIRE);
    this.part(key);
  }

  keys(prefix: string, cursor: number): void {
    this.reserve(4);
    this.word(KEYS);
    this.part(prefix);
    this.long(cursor);
  }

  /** `ms`: a whole number below 2^32. */
  lock(key: string, owner: string, ms: number): void {
    this.reserve(4);
    this.word(LOCK);
    this.part(key);
    this.part(owner);
    this.word(ms);
  }

  unlock(key: string, owner: string): void {
    this.reserve(3);
    this.word(UNLOCK);
    this.part(key);
    this.part(owner);
  }

  publish(channel: string, payload: string): void {
    this.reserve(3);
    this.word(PUBLISH);
    this.part(channel);
    this.part(payload);
  }

  subscribe(channel: string): void {
    this.reserve(2);
    this.word(SUBSCRIBE);
    this.part(channel);
  }

  unsubscribe(channel: string): void {
    this.reserve(2);
    this.word(UNSUBSCRIBE);
    this.part(channel);
  }

  /** Empties it; words of the usual number are kept. */
  reset(): void {
    if (this.words.length > KEPT_WORDS) {
      this.words = new Uint32Array(FIRST_WORDS);
    }
    this.length = 0;
    this.text = '';
    this.values = [];
    this.weight = 0;
  }

  private tags({ text, lengths }: TagList): void {
    this.word(lengths.length);
    this.words.set(lengths, this.length);
    this.length += lengths.length;
    this.text += text;
    this.weight += text.length;
  }

  private part(text: string): void {
    this.word(text.length);
    this.text += text;
    this.weight += text.length;
  }

  /** All ones: for ever. */
  private long(ms: number): void {
    // Rounded up: half a millisecond is a lifetime, 0 is none. Beyond 2^53 whole numbers end, and so does patience.
    const ever = ms > Number.MAX_SAFE_INTEGER;
    const long = Math.ceil(ms);
    this.word(ever ? ALL_ONES : long % TWO_32);
    this.word(ever ? ALL_ONES : Math.floor(long / TWO_32));
  }

  private word(word: number): void {
    this.words[this.length++] = word;
  }

  private reserve(words: number): void {
    if (this.length + words > this.words.length) {
      const grown = new Uint32Array(Math.max(this.words.length * 2, this.length + words));
      grown.set(this.words);
      this.words = grown;
    }
  }
}
