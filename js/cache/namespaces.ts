/**
 * Namespaces: the part of a key before a `:`. An entry carries an implicit tag for each, so that clearing a namespace
 * is the clear of one tag, on every store (docs/internals/tags.md).
 */

import { describe } from '../options/check.js';
import { ConfigError } from '../shared/errors.js';
import { NO_TAGS, TagList } from '../store/tags.js';

/** Namespaces above a key that have a tag, the outermost ones. */
export const MAX_DEPTH = 8;

/** What implicit tags begin with. */
const SPACE = '!ns:';

/** The tag of everything under a namespace, given without its last `:`. */
export function spaceTag(namespace: string): string {
  return SPACE + namespace;
}

/** The caller's tags, kept apart from the implicit ones: one that begins with `!` gets another in front. */
export function userTags(tags: TagList): TagList {
  if (!tags.text.includes('!')) {
    return tags;
  }
  const names = tags.names().map((name) => (name.startsWith('!') ? `!${name}` : name));
  return new TagList(
    names.join(''),
    names.map((name) => name.length),
  );
}

/** All tags to store a key with: the caller's, and those of its namespaces. @param key well-formed */
export function tagsOf(key: string, tags = NO_TAGS): TagList {
  const own = userTags(tags);
  let end = key.indexOf(':');
  if (end === -1) {
    return own;
  }
  let text = own.text;
  const lengths = own.lengths.slice();
  for (let depth = 0; end !== -1 && depth < MAX_DEPTH; depth++) {
    text += SPACE + key.slice(0, end);
    lengths.push(SPACE.length + end);
    end = key.indexOf(':', end + 1);
  }
  return new TagList(text, lengths);
}

/**
 * The namespace below another (`''` = the root), without a last `:`.
 * @throws ConfigError on an empty name, or one deeper than tags reach
 */
export function joinNamespace(caller: string, parent: string, name: unknown): string {
  const bare = typeof name === 'string' ? name.replace(/:$/, '') : '';
  if (typeof name !== 'string' || bare === '' || !bare.isWellFormed()) {
    throw new ConfigError(
      `${caller}: namespace: expected a non-empty string of well-formed text, got ${describe(name)}.`,
    );
  }
  const full = parent === '' ? bare : `${parent}:${bare}`;
  const depth = full.split(':').length;
  if (depth > MAX_DEPTH) {
    throw new ConfigError(
      `${caller}: namespace: expected at most ${MAX_DEPTH} levels, got ${depth} ("${full}"); join some of them with another character than ":".`,
    );
  }
  return full;
}
