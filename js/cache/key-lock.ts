/** A key's lock in the store, which keeps the factories of other processes away. */
import type { NativeStore } from '../store/native-store.js';

/**
 * A lock of a dead process ends by itself after this time; a living one renews it. Long enough for a paused process to
 * be told from a dead one, and memcached counts in whole seconds.
 */
const LOCK_MS = 5000;
const RENEW_MS = LOCK_MS / 3;

export class KeyLock {
  readonly #store: NativeStore;
  readonly #key: string;
  /** Tells this lock from those of others. */
  readonly #owner: string;
  #renewal: NodeJS.Timeout | undefined;
  #released = false;

  constructor(store: NativeStore, key: string, owner: string) {
    this.#store = store;
    this.#key = key;
    this.#owner = owner;
  }

  /** @returns whether it is held: it is then renewed until it is released */
  async take(): Promise<boolean> {
    const taken = await this.#store.lock(this.#key, this.#owner, LOCK_MS);
    if (taken && this.#renewal === undefined) {
      const renew = () => {
        this.#store.lock(this.#key, this.#owner, LOCK_MS).catch(() => {});
      };
      this.#renewal = setInterval(renew, RENEW_MS).unref();
      if (this.#released) {
        // The answer came after it was given up.
        this.release();
      }
    }
    return taken;
  }

  release(): void {
    this.#released = true;
    if (this.#renewal !== undefined) {
      clearInterval(this.#renewal);
      this.#renewal = undefined;
      // If it cannot be said, the lock ends by itself.
      this.#store.unlock(this.#key, this.#owner).catch(() => {});
    }
  }
}
