/**
 * Lists of tags. A list is checked and copied once, where a caller gives it: its names are joined into one text, which is
 * what the core takes, so nothing that the caller does to its array afterwards can change what is sent.
 */

import { describe } from '../options/check.js';
import { refused } from '../shared/arguments.js';

/** Half of V8's longest string, so that the text of a batch holds any list: 6.7 million names of 40 characters. */
const MAX_UNITS = 2 ** 28;

/** Names in a part of a clear: more than an event of a shop has, and well below a second of a server's time. */
const PART_NAMES = 65_536;

/** UTF-16 units in a part of a clear: 128 for each name, which is far more than usual ones have. */
const PART_UNITS = 128 * PART_NAMES;

/** Where a name could be malformed. In a text of Latin-1 alone V8 sees at once that there is none. */
const SURROGATE = /[\ud800-\udfff]/;

export class TagList {
  /** The names, one behind the other. Each is well-formed. */
  readonly text: string;
  /** UTF-16 units of each name. */
  readonly lengths: readonly number[];

  /** @param text of names that were checked */
  constructor(text: string, lengths: readonly number[]) {
    this.text = text;
    this.lengths = lengths;
  }

  get size(): number {
    return this.lengths.length;
  }

  names(): string[] {
    let end = 0;
    return this.lengths.map((length) => {
      end += length;
      return this.text.slice(end - length, end);
    });
  }

  /** The list in parts of bounded size, each for a native call of its own. Usually it is one itself. */
  parts(): readonly TagList[] {
    const { text, lengths } = this;
    if (text.length <= PART_UNITS && lengths.length <= PART_NAMES) {
      return [this];
    }
    const parts: TagList[] = [];
    let first = 0;
    let start = 0;
    let end = 0;
    for (let at = 0; at < lengths.length; at++) {
      const next = end + (lengths[at] as number);
      if (at > first && (next - start > PART_UNITS || at - first === PART_NAMES)) {
        parts.push(new TagList(text.slice(start, end), lengths.slice(first, at)));
        first = at;
        start = end;
      }
      end = next;
    }
    parts.push(new TagList(text.slice(start), lengths.slice(first)));
    return parts;
  }
}

/** What an operation of a store takes. */
export type Tags = readonly string[] | TagList;

export const NO_TAGS = new TagList('', []);

/** One name that needs no check. */
export function tag(name: string): TagList {
  return new TagList(name, [name.length]);
}

/**
 * Checks and copies what a caller gives as tags; nothing given is the empty list.
 * @param caller whom errors name
 * @throws ConfigError on anything but an array of well-formed strings
 */
export function tagList(caller: string, given: unknown): TagList {
  if (given === undefined || given === null) {
    return NO_TAGS;
  }
  if (!Array.isArray(given)) {
    throw refused(caller, 'tags', 'an array of strings', describe(given));
  }
  const count = given.length;
  if (count === 0) {
    return NO_TAGS;
  }
  const lengths: number[] = [];
  let text = '';
  let units = 0;
  // Each element is read once: a getter or a proxy may answer differently the next time.
  for (let at = 0; at < count; at++) {
    const name: unknown = given[at];
    if (typeof name !== 'string') {
      throw refused(caller, 'tags', 'an array of strings', `one with ${describe(name)} in it`);
    }
    units += name.length;
    if (units > MAX_UNITS) {
      const advice = 'Hash long names, or make several calls';
      throw refused(caller, 'tags', `at most ${MAX_UNITS} characters in all`, 'more', advice);
    }
    text += name;
    lengths.push(name.length);
  }
  const list = new TagList(text, lengths);
  // Not the text as a whole: the halves of a pair in two neighbours make well-formed text.
  if (SURROGATE.test(text)) {
    checkEach(caller, list);
  }
  return list;
}

/** A list as it is, names checked. Not by `instanceof`: the ES and the CommonJS build in one process share stores. */
export function taken(tags: Tags): TagList {
  return (tags as Partial<TagList> | null)?.lengths === undefined
    ? tagList('NativeStore', tags)
    : (tags as TagList);
}

function checkEach(caller: string, list: TagList): void {
  const at = list.names().findIndex((name) => !name.isWellFormed());
  if (at !== -1) {
    const advice = 'Two such names would be one in the store';
    throw refused(caller, 'tags', 'well-formed Unicode', `a lone surrogate (tags[${at}])`, advice);
  }
}
