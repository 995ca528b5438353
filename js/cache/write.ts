/** How a cache writes to its store: sets, deletions, clears of tags. */

import type { TagList } from '../store/tags.js';
import { fullKey, key, tagsToStore, timing } from './arguments.js';
import type { Core } from './core.js';
import { spaceTag, tagsOf, userTags } from './namespaces.js';
import { CALLER, type ResolvedEntryOptions } from './options.js';
import { recordRead } from './read.js';
import type { SetOptions } from './types.js';

/** Operations of one call under way at once: a store takes some 32,000, and others want room too. */
export const SLICE = 8_000;

/** A set that was checked and encoded. */
interface Prepared {
  key: string;
  encoded: string | Uint8Array;
  times: ResolvedEntryOptions;
  tags: TagList;
}

/** @throws ConfigError on what the caller got wrong */
export function prepared(
  core: Core,
  namespacePath: string,
  method: string,
  given: SetOptions<unknown>,
): Prepared {
  const full = fullKey(method, namespacePath, key(method, given.key));
  return {
    key: full,
    encoded: core.encode(full, given.value, `${CALLER}: ${method}: key "${full}"`),
    times: timing(method, given, core.settings.computing),
    tags: tagsOf(full, tagsToStore(method, given.tags)),
  };
}

/** Within a cache that is open, or a call for which its `close()` waits. */
export async function write(
  core: Core,
  method: string,
  { key: full, encoded, times, tags }: Prepared,
): Promise<boolean> {
  core.singleFlight.discardResult(full);
  const began = core.telemetry.begin('write');
  const { ttl, grace } = times;
  const now = Date.now();
  const extra =
    ttl > 0 && ttl !== Number.POSITIVE_INFINITY && grace > 0
      ? { times: { created: now, freshUntil: now + ttl, cost: 0 } }
      : {};
  const stored = await core.attempted(method, undefined, () =>
    core.store.set(full, encoded, ttl === 0 ? 0 : ttl + grace, tags, true, extra),
  );
  core.telemetry.end('write', began);
  if (stored !== undefined) {
    core.telemetry.stored(full, stored);
  }
  return stored ?? false;
}

/** A call whose operations travel in slices, one after the other: `close()` waits for the last of them. */
export async function inSlices<T, R>(
  core: Core,
  all: readonly T[],
  run: (slice: readonly T[]) => Promise<R>,
): Promise<R[]> {
  return core.during(async () => {
    const results: R[] = [];
    for (let at = 0; at < all.length; at += SLICE) {
      results.push(await run(all.slice(at, at + SLICE)));
    }
    return results;
  });
}

/** @param keys full ones. @returns whether any was there */
export async function remove(core: Core, method: string, keys: readonly string[]): Promise<boolean> {
  core.clears++;
  return keys.length <= SLICE
    ? core.attempt(method, false, () => removed(core, keys))
    : core.during(() => core.attempted(method, false, () => removed(core, keys)));
}

async function removed(core: Core, keys: readonly string[]): Promise<boolean> {
  let there = false;
  let failed: PromiseRejectedResult | undefined;
  let underWay: Promise<PromiseSettledResult<boolean>[]>[] = [];
  for (let at = 0; at < keys.length; at += SLICE) {
    underWay.push(Promise.allSettled(keys.slice(at, at + SLICE).map((one) => core.store.remove(one))));
    // After a failure the rest is asked for at once: what an outage keeps must be known, and all of it in one deadline.
    if (failed === undefined) {
      const outcomes = (await Promise.all(underWay)).flat();
      underWay = [];
      there = outcomes.some((one) => one.status === 'fulfilled' && one.value) || there;
      failed = outcomes.find((one) => one.status === 'rejected');
    }
  }
  await Promise.all(underWay);
  if (failed !== undefined) {
    throw failed.reason;
  }
  deleted(core, keys);
  return there;
}

/** Counts and tells of keys that were deleted. */
export function deleted(core: Core, keys: readonly string[]): void {
  core.telemetry.count.deletes += keys.length;
  if (core.telemetry.heard('delete')) {
    core.telemetry.report('delete', { keys });
  }
}

/** @param soft makes stale what has a grace, in place of removing it */
export async function clearTags(core: Core, method: string, tags: TagList, soft: boolean): Promise<boolean> {
  core.clears++;
  return core.attempt(method, false, async () => {
    await core.store.clear({ tags: userTags(tags), raise: soft ? 'auto' : 'all' });
    core.telemetry.count.clears++;
    if (core.telemetry.heard('clear')) {
      core.telemetry.report('clear', { tags: tags.names(), soft });
    }
    return true;
  });
}

/** Makes an entry stale; without grace it is deleted. @param full its key in the store */
export async function expire(core: Core, full: string): Promise<boolean> {
  core.clears++;
  return core.attempt('expire', false, async () => {
    await core.store.expire(full);
    core.telemetry.count.clears++;
    if (core.telemetry.heard('clear')) {
      core.telemetry.report('clear', { keys: [full], soft: true });
    }
    return true;
  });
}

/** Removes everything of a namespace; of the empty one, everything of the prefix. */
export async function clearNamespace(core: Core, namespace: string): Promise<boolean> {
  const tag = namespace === '' ? '*' : spaceTag(namespace);
  core.clears++;
  return core.attempt('clear', false, async () => {
    await core.store.clear({ tags: [tag] });
    core.telemetry.count.clears++;
    if (core.telemetry.heard('clear')) {
      core.telemetry.report('clear', { namespace, soft: false });
    }
    return true;
  });
}

/** Gets and deletes. @param full its key in the store */
export async function pull(core: Core, full: string): Promise<unknown> {
  core.clears++;
  return core.attempt('pull', undefined, async () => {
    const stored = await core.store.take(full);
    const decoded = stored === undefined ? undefined : core.decode(stored);
    recordRead(core, full, decoded !== undefined);
    if (stored !== undefined) {
      deleted(core, [full]);
    }
    return decoded?.value;
  });
}
