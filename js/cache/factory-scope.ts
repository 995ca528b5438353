/** Which factory a call comes from, so that one that waits for itself is told at once and not left to hang. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { StoreSpec } from '../options/native-config.js';
import { RecursionError } from '../shared/errors.js';

/** The cache that a factory runs for. */
interface FactoryOwner {
  readonly settings: { readonly store: StoreSpec };
}

/** A running factory. */
export interface Running {
  readonly core: FactoryOwner;
  readonly key: string;
  /** The factory that asked for this one. */
  readonly parent: Running | undefined;
  /** Factories that calls made within this one wait for. */
  readonly waits: Set<Running>;
  /** It has ended: what it left behind holds nobody up. */
  over: boolean;
}

const scope = new AsyncLocalStorage<Running>();

/** The factory that the present call is made in, unless it has ended. */
export function caller(): Running | undefined {
  const running = scope.getStore();
  return running?.over === false ? running : undefined;
}

export function runningIn(core: FactoryOwner, key: string): Running {
  return { core, key, parent: caller(), waits: new Set(), over: false };
}

export async function within<T>(running: Running, factory: () => T | Promise<T>): Promise<T> {
  try {
    return await scope.run(running, factory);
  } finally {
    running.over = true;
  }
}

/** Whether a call that waited for this factory would wait for the factory that it is made in. */
export function leadsBack(awaited: Running): boolean {
  const from = caller();
  return from !== undefined && chainTo(awaited, from) !== undefined;
}

/** Waits on behalf of the factory that calls. @throws RecursionError (rejects) if `awaited` waits for that factory */
export async function onBehalf<T>(awaited: Running, wait: () => Promise<T>): Promise<T> {
  const from = caller();
  if (from === undefined) {
    return wait();
  }
  const chain = chainTo(awaited, from);
  if (chain !== undefined) {
    throw recursion([from, ...chain]);
  }
  from.waits.add(awaited);
  try {
    return await wait();
  } finally {
    from.waits.delete(awaited);
  }
}

/** @throws RecursionError if a factory that waits for this call makes the same key by another `Cache` over the same store */
export function refuseNested(core: FactoryOwner, key: string): void {
  const from = caller();
  for (const running of callers()) {
    if (running.key === key && running.core !== core && sameStore(running.core, core)) {
      const chain = chainTo(running, from as Running);
      if (chain !== undefined) {
        throw recursion([...chain, running]);
      }
    }
  }
}

/** The factory that the present call is made in, and those around it. */
export function callers(): Running[] {
  const found: Running[] = [];
  for (let running = caller(); running !== undefined; running = running.parent) {
    found.push(running);
  }
  return found;
}

/** From one factory to the next by what waits for what. `undefined` = no way leads there. */
function chainTo(from: Running, to: Running, seen = new Set<Running>()): Running[] | undefined {
  if (from === to) {
    return [to];
  }
  if (from.over || seen.has(from)) {
    return undefined;
  }
  seen.add(from);
  for (const next of from.waits) {
    const rest = chainTo(next, to, seen);
    if (rest !== undefined) {
      return [from, ...rest];
    }
  }
  return undefined;
}

/** Stores in process memory are told apart by their description, the others by what they say to the server. */
function sameStore(one: FactoryOwner, other: FactoryOwner): boolean {
  const [left, right] = [one.settings.store, other.settings.store];
  return (
    left === right || (left.kind !== 'memory' && JSON.stringify(left.native) === JSON.stringify(right.native))
  );
}

function recursion(chain: readonly Running[]): RecursionError {
  const keys = chain.map(({ key }) => `"${key}"`).join(' → ');
  return new RecursionError(
    `A factory asks for its own key, which would wait for itself: ${keys}. Make the value without it, or read what is stored with get().`,
  );
}
