/** Clearing what a pattern of keys fits. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoreSpec } from '../options/native-config.js';
import { UnsupportedError } from '../shared/errors.js';
import type { KeyPage, NativeStore } from '../store/native-store.js';
import { MAX_DEPTH, spaceTag } from './namespaces.js';
import type { Pattern } from './patterns.js';

/**
 * @returns how many keys were there, or `undefined` if nobody counted: a namespace is cleared in one step
 * @throws UnsupportedError where keys would have to be listed and the store cannot
 */
export async function clearMatching(
  caller: string,
  store: NativeStore,
  kind: StoreSpec['kind'],
  pattern: Pattern,
): Promise<number | undefined> {
  switch (pattern.means) {
    case 'key':
      return clearAll(store, [pattern.key]);
    case 'everything':
      await store.clear({ tags: ['*'] });
      return undefined;
    case 'namespace':
      await store.clear({ tags: [spaceTag(pattern.name)] });
      return undefined;
    default:
      refuseUnlistable(caller, kind, pattern);
      return clearListed(store, pattern);
  }
}

/** @throws UnsupportedError on a pattern for which keys would have to be listed, where the store cannot */
export function refuseUnlistable(caller: string, kind: StoreSpec['kind'], pattern: Pattern): void {
  if (kind === 'memcached' && pattern.means === 'shape') {
    throw new UnsupportedError(
      `${caller}: pattern ${JSON.stringify(pattern.written)}: memcached cannot list keys. There "*" works, and a pattern whose only "*" stands after the ":" at its end, such as "user:*", with at most ${MAX_DEPTH} ":". Nothing was done.`,
    );
  }
}

/** Keys asked for and cleared in one batch: few enough that other calls of the process get their turn in between. */
const MAX_AT_ONCE = 500;

async function clearListed(
  store: NativeStore,
  { head, matches }: Extract<Pattern, { means: 'shape' }>,
): Promise<number> {
  let cleared = 0;
  for (let cursor: number | undefined = 0; cursor !== undefined; ) {
    const page: KeyPage = await store.keys(head, cursor);
    cleared += await clearInParts(store, page.keys.filter(matches));
    cursor = page.next;
  }
  return cleared;
}

/** @throws what the first part failed with; the parts after it are asked for all the same: in an outage they are kept */
async function clearInParts(store: NativeStore, keys: readonly string[]): Promise<number> {
  let cleared = 0;
  const failed: Promise<number>[] = [];
  for (let from = 0; from < keys.length; from += MAX_AT_ONCE) {
    const part = clearAll(store, keys.slice(from, from + MAX_AT_ONCE));
    if (failed.length > 0) {
      failed.push(part);
      continue;
    }
    try {
      cleared += await part;
    } catch {
      failed.push(part);
    }
    await nextTurn();
  }
  await Promise.allSettled(failed);
  await failed[0];
  return cleared;
}

/** Each is asked for and cleared in one batch, in this order: a key that pages repeat counts once. */
async function clearAll(store: NativeStore, keys: readonly string[]): Promise<number> {
  const there = await Promise.all(keys.map((key) => store.remove(key)));
  return there.filter(Boolean).length;
}
