/** Who listens to which channel of a store. */
import { errorMessage } from '../shared/errors.js';

export type Listener = (payload: string) => void;

export class ChannelListeners {
  readonly #listeners = new Map<string, Set<Listener>>();

  add(channel: string, listener: Listener): void {
    const known = this.#listeners.get(channel);
    if (known === undefined) {
      this.#listeners.set(channel, new Set([listener]));
    } else {
      known.add(listener);
    }
  }

  delete(channel: string, listener: Listener): void {
    const known = this.#listeners.get(channel);
    if (known?.delete(listener) && known.size === 0) {
      this.#listeners.delete(channel);
    }
  }

  /** @returns whether anybody listened */
  deleteAll(channel: string): boolean {
    return this.#listeners.delete(channel);
  }

  hear(channel: string, payload: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(payload);
      } catch (error) {
        // One listener's defect must not cost the others the message, nor the answers that travel with it.
        process.emitWarning(`A listener of a channel threw: ${errorMessage(error)}`, 'CachalotWarning');
      }
    }
  }
}
