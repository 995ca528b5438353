/**
 * Patterns of keys: `*` stands for any characters, also for none; every other character stands for itself.
 *
 * Glob libraries give a meaning to more than that (`?`, brackets, `!`, slashes), and a regular expression with several
 * `.*` can take time that grows with a power of the key's length. Looking for the literal pieces from left to right,
 * each at the first place where it fits, decides the same in one pass.
 */
import { MAX_DEPTH } from './namespaces.js';

export type Pattern =
  /** No `*`: one key. */
  | { readonly means: 'key'; readonly key: string }
  /** Every key of the store. */
  | { readonly means: 'everything' }
  /** `name:*`: all keys under a namespace, which share an implicit tag (js/cache/namespaces.ts). */
  | { readonly means: 'namespace'; readonly name: string }
  /** Any other: keys must be listed to find those that match. */
  | {
      readonly means: 'shape';
      /** As it was written, for messages. */
      readonly written: string;
      /** What every matching key begins with. */
      readonly head: string;
      matches(key: string): boolean;
    };

/** @param before what stands literally before the pattern, whatever characters it has */
export function patternOf(written: string, before = ''): Pattern {
  const [first = '', ...rest] = written.split(/\*+/);
  const head = before + first;
  const tail = rest.pop();
  if (tail === undefined) {
    return { means: 'key', key: head };
  }
  if (tail === '' && rest.length === 0) {
    if (head === '') {
      return { means: 'everything' };
    }
    if (head.endsWith(':') && levels(head) <= MAX_DEPTH) {
      return { means: 'namespace', name: head.slice(0, -1) };
    }
  }
  return { means: 'shape', written, head, matches: (key) => fits(key, head, rest, tail) };
}

function levels(head: string): number {
  return head.split(':').length - 1;
}

function fits(key: string, head: string, middle: readonly string[], tail: string): boolean {
  const end = key.length - tail.length;
  if (end < head.length || !key.startsWith(head) || !key.endsWith(tail)) {
    return false;
  }
  let from = head.length;
  for (const piece of middle) {
    const at = key.indexOf(piece, from);
    if (at === -1) {
      return false;
    }
    from = at + piece.length;
  }
  return from <= end;
}
