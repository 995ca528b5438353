/** Reading values that others may have in L1, one or many. */
import { CachalotError } from '../shared/errors.js';
import type { Core } from './core.js';

/** Keys of one operation: some are on their way while others are collected, and no reply is one long pause. */
const TOGETHER = 128;

/** What L1 has, counted. */
export function localHit(core: Core, full: string): unknown {
  const value = core.localHit(full);
  if (value !== undefined) {
    core.telemetry.l1Hit(full);
  }
  return value;
}

/** @returns `undefined` = a miss */
export async function read(core: Core, full: string): Promise<unknown> {
  const hit = localHit(core, full);
  if (hit !== undefined) {
    return hit;
  }
  const began = core.telemetry.begin('read');
  const { json } = core.settings.codec;
  const value = json ? asStored(await core.store.get(full)) : decoded(core, await core.store.getText(full));
  core.telemetry.end('read', began);
  recordRead(core, full, value !== undefined);
  return value;
}

/** @returns a value or `undefined` for each key, in order; keys that failed are misses, and the first failure is told */
export async function readMany(core: Core, keys: readonly string[]): Promise<unknown[]> {
  // What is kept comes back with a stamp, which each key has to ask for itself.
  const found =
    core.store.localCache === undefined ? await readBatched(core, keys) : await readEach(core, keys);
  let failure: CachalotError | undefined;
  const values = found.map((value) => {
    if (value instanceof CachalotError) {
      failure ??= value;
      return undefined;
    }
    return value;
  });
  if (failure !== undefined) {
    core.reportError('getMany', failure);
  }
  return values;
}

async function readBatched(core: Core, keys: readonly string[]): Promise<unknown[]> {
  const began = core.telemetry.begin('read');
  const { json } = core.settings.codec;
  const asked: Promise<unknown[]>[] = [];
  for (let at = 0; at < keys.length; at += TOGETHER) {
    const some = keys.slice(at, at + TOGETHER);
    asked.push(core.store.getMany(some, json).catch((error) => some.map(() => failed(error))));
  }
  const found = (await Promise.all(asked)).flat();
  core.telemetry.end('read', began);
  for (let at = 0; at < keys.length; at++) {
    if (!(found[at] instanceof CachalotError)) {
      found[at] = json ? asStored(found[at]) : decoded(core, found[at] as string | Uint8Array | undefined);
      recordRead(core, keys[at] as string, found[at] !== undefined);
    }
  }
  return found;
}

function readEach(core: Core, keys: readonly string[]): Promise<unknown[]> {
  return Promise.all(keys.map((key) => read(core, key).catch(failed)));
}

/** In the place of a value; what is none of our errors is a defect, and no value. */
function failed(error: unknown): CachalotError {
  if (error instanceof CachalotError) {
    return error;
  }
  throw error;
}

/** Bytes are another serializer's: of a wrong kind, so a miss. */
function asStored(value: unknown): unknown {
  return ArrayBuffer.isView(value) ? undefined : value;
}

function decoded(core: Core, stored: string | Uint8Array | undefined): unknown {
  return stored === undefined ? undefined : core.decode(stored)?.value;
}

export function recordRead(core: Core, full: string, hit: boolean): void {
  if (hit) {
    core.telemetry.hit(full, false);
  } else {
    core.telemetry.miss(full);
  }
}
