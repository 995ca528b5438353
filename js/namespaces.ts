/**
 * Namespaces: the part of a key before a `:`. An entry carries an implicit tag for each, so that clearing a namespace
 * is the clear of one tag, on every store (docs/tags.md).
 */
import { ConfigError } from './errors.js';
import { describe } from './options/check.js';

/** Namespaces above a key that have a tag: each tag is checked at every read. */
export const MAX_DEPTH = 8;

/** What implicit tags begin with. */
const SPACE = '!ns:';

/** An entry's header counts the bytes of a tag in 16 bits (docs/wire-format.md). */
const MAX_BYTES = 65_535 - SPACE.length;

/** The tag of everything under a namespace, given without its last `:`. */
export function spaceTag(namespace: string): string {
  return SPACE + namespace;
}

/** A caller's tag, kept apart from the implicit ones. */
export function userTag(tag: string): string {
  return tag.startsWith('!') ? `!${tag}` : tag;
}

/**
 * All tags to store a key with: the caller's, and those of its namespaces.
 * @throws ConfigError on a namespace or tag that is too long once it is marked as such
 */
export function tagsOf(key: string, tags: readonly string[]): string[] {
  const all: string[] = [];
  for (const tag of tags) {
    all.push(userTag(tag));
  }
  let end = key.indexOf(':');
  for (let depth = 0; end !== -1 && depth < MAX_DEPTH; depth++) {
    all.push(SPACE + key.slice(0, end));
    end = key.indexOf(':', end + 1);
  }
  for (const tag of all) {
    // A character has at most 3 bytes for each of its UTF-16 units, so that few need counting.
    if (tag.length * 3 > MAX_BYTES && Buffer.byteLength(tag) > MAX_BYTES + SPACE.length) {
      throw new ConfigError(
        `cachalot: a namespace (what stands before a ":" of the key) or a tag that begins with "!": expected at most ${MAX_BYTES} bytes, got ${Buffer.byteLength(tag)}; hash it. Nothing was stored.`,
      );
    }
  }
  return all;
}

/** How many tags `tagsOf` adds to a key's own. */
export function depthOf(key: string): number {
  let depth = 0;
  for (let end = key.indexOf(':'); end !== -1 && depth < MAX_DEPTH; end = key.indexOf(':', end + 1)) {
    depth++;
  }
  return depth;
}

/**
 * The namespace below another (`''` = the root), without a last `:`.
 * @throws ConfigError on an empty name, or one deeper than tags reach
 */
export function nested(face: string, parent: string, name: unknown): string {
  const bare = typeof name === 'string' ? name.replace(/:$/, '') : '';
  if (
    typeof name !== 'string' ||
    bare === '' ||
    !(bare as string & { isWellFormed(): boolean }).isWellFormed()
  ) {
    throw new ConfigError(
      `${face}: namespace: expected a non-empty string of well-formed text, got ${describe(name)}.`,
    );
  }
  const full = parent === '' ? bare : `${parent}:${bare}`;
  const depth = full.split(':').length;
  if (depth > MAX_DEPTH) {
    throw new ConfigError(
      `${face}: namespace: expected at most ${MAX_DEPTH} levels, got ${depth} ("${full}"); join some of them with another character than ":".`,
    );
  }
  return full;
}
