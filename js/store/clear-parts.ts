/** A clear of very many names, made in parts. */
import { CachalotError } from '../shared/errors.js';
import type { TagList } from './tags.js';

/**
 * Sends the parts after the first one by one: each has the whole of its deadline, and other calls come in between.
 * @param send asks the store for a part
 * @throws what a part failed with; an error that says that the clear is kept for after an outage only if every part that
 * failed is kept
 */
export async function oneByOne(
  first: Promise<unknown>,
  rest: readonly TagList[],
  send: (part: TagList) => Promise<unknown>,
): Promise<void> {
  const sent = [first];
  let failed = false;
  for (const part of rest) {
    // In an outage every part is to be kept for after it, and none is worth waiting for.
    failed = failed || (await hasFailed(sent.at(-1) as Promise<unknown>));
    sent.push(send(part));
  }
  const failures = (await Promise.allSettled(sent)).flatMap((one) => ('reason' in one ? [one.reason] : []));
  if (failures.length > 0) {
    throw failures.find((failure) => !(failure instanceof CachalotError && failure.queued)) ?? failures[0];
  }
}

function hasFailed(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}
