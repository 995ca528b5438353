/**
 * Keyv's keys and their names in the store. A name is the namespace, a `:` and the key; a `:` or `%` within the namespace
 * is percent-escaped, so that two namespaces never share a name, and what stands before the first `:` of a name is the
 * one tag that clears it.
 */

import { spaceTag } from '../../cache/namespaces.js';
import { describe } from '../../options/check.js';
import { requiredKey } from '../../shared/arguments.js';
import { ConfigError } from '../../shared/errors.js';
import { NO_TAGS, type TagList, tag } from '../../store/tags.js';

/** Keyv instances share an adapter rarely, and few of them; beyond it the namespace set first is forgotten. */
const MAX_NAMESPACES = 1000;

export class KeyMapper {
  private readonly caller: string;
  /** Namespaces that a Keyv has set, each with its name. Several Keyv instances may share an adapter. */
  private readonly prefixes = new Map<string, string>();
  private current: string | undefined;
  /** The current namespace as names begin with it. */
  private start = '';
  /** Keys come without their namespace, whatever they look like. */
  keysArePlain: boolean;

  constructor(caller: string, keysArePlain: boolean) {
    this.caller = caller;
    this.keysArePlain = keysArePlain;
  }

  get namespace(): string | undefined {
    return this.current;
  }

  set namespace(given: string | undefined) {
    if (given === undefined || given === null || given === '') {
      this.current = undefined;
      this.start = '';
      return;
    }
    if (typeof given !== 'string') {
      throw new ConfigError(`${this.caller}: namespace: expected a string, got ${describe(given)}.`);
    }
    requiredKey(this.caller, given);
    const name = escaped(given);
    this.prefixes.delete(given);
    this.prefixes.set(given, name);
    for (const first of this.prefixes.keys()) {
      if (this.prefixes.size <= MAX_NAMESPACES) break;
      this.prefixes.delete(first);
    }
    this.current = given;
    this.start = `${name}:`;
  }

  /**
   * Keyv 5 puts the namespace before a key unless told not to (`useKeyPrefix: false`), Keyv 6 leaves it to the store.
   * A key that begins with a namespace is taken for one that Keyv has completed, as Keyv 5 itself takes it.
   */
  of(key: unknown): string {
    const given = requiredKey(this.caller, key);
    const name = (this.keysArePlain ? undefined : this.completed(given)) ?? this.start + given;
    // With the namespace it may have become too long.
    return name === given ? name : requiredKey(this.caller, name);
  }

  /** The name of a key that begins with a namespace: with the longest, for `a:b` is none of `a`'s. */
  private completed(key: string): string | undefined {
    if (this.prefixes.size === 0) {
      return undefined;
    }
    for (let end = key.lastIndexOf(':'); end > 0; end = key.lastIndexOf(':', end - 1)) {
      const name = this.prefixes.get(key.slice(0, end));
      if (name !== undefined) {
        return name + key.slice(end);
      }
    }
    return undefined;
  }

  /** What the names of a namespace begin with; `''` = all names. */
  keyPrefix(namespace: string | undefined): string {
    return namespace ? `${escaped(namespace)}:` : '';
  }

  /** The key that a name within the namespace stands for, as whoever asks gives keys. */
  keyOf(name: string, namespace: string | undefined): string {
    if (!namespace) {
      return name;
    }
    const key = name.slice(escaped(namespace).length + 1);
    return this.keysArePlain ? key : `${namespace}:${key}`;
  }

  /** What a clear of the namespace clears; without one it is everything. */
  clearTag(): string {
    return this.current === undefined ? '*' : spaceTag(this.start.slice(0, -1));
  }
}

/** Names are stored with this: their namespace's tag. A key set without a namespace has one too, if it looks like it. */
export function tagsOfName(name: string): TagList {
  const end = name.indexOf(':');
  return end === -1 ? NO_TAGS : tag(spaceTag(name.slice(0, end)));
}

function escaped(namespace: string): string {
  return /[:%]/.test(namespace) ? namespace.replaceAll('%', '%25').replaceAll(':', '%3A') : namespace;
}
