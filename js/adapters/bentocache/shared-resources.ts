import { type CacheLogger, Logger, processWarnings } from '../../shared/logger.js';
/** The one open store of a driver result and a prefix, shared by all that Bentocache makes of them. */
import type { NativeStore } from '../../store/native-store.js';

/** One user's hold on a shared store. */
export interface Hold {
  readonly store: NativeStore;
  /** Lets go, once; the last one to do so closes the store. */
  release(): Promise<void>;
}

interface Shared {
  readonly store: NativeStore;
  holders: number;
}

export class SharedStores {
  readonly #open: (prefix: string) => NativeStore;
  readonly #shared = new Map<string, Shared>();

  constructor(open: (prefix: string) => NativeStore) {
    this.#open = open;
  }

  hold(prefix: string): Hold {
    const shared = this.#shared.get(prefix) ?? { store: this.#open(prefix), holders: 0 };
    this.#shared.set(prefix, shared);
    shared.holders += 1;
    let released: Promise<void> | undefined;
    return {
      store: shared.store,
      release: () => {
        released ??= this.#release(prefix, shared);
        return released;
      },
    };
  }

  async #release(prefix: string, shared: Shared): Promise<void> {
    shared.holders -= 1;
    if (shared.holders === 0) {
      this.#shared.delete(prefix);
      await shared.store.close();
    }
  }
}

/** Where no logger is given, an outage is a warning of the process. */
export function logOf(logger: CacheLogger | undefined): Logger {
  const heard = logger !== undefined && !isSilent(logger);
  return new Logger(heard ? logger : processWarnings(() => false), 'cachalot');
}

/** Without a logger Bentocache has one whose methods do nothing, and gives it to its drivers within one of its own. */
function isSilent(logger: CacheLogger): boolean {
  const { warn } = (logger as { internalLogger?: CacheLogger }).internalLogger ?? logger;
  return (
    typeof warn === 'function' && /^(?:\(\)\s*=>|(?:function\s*)?\w*\s*\(\))\s*\{\s*\}$/.test(String(warn))
  );
}
