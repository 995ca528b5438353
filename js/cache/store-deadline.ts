/** What the store may take of one call, whatever its steps: one `commandTimeout`. */

import type { StoreSpec } from '../options/native-config.js';
import { TimeoutError } from '../shared/errors.js';
import { TIMED_OUT, withTimeout } from '../shared/with-timeout.js';

/** The core's own (src/config.rs). */
const COMMAND_MS = 1000;

export class StoreDeadline {
  readonly #whole: number;
  #left: number;

  constructor({ native }: StoreSpec) {
    const { backend } = native;
    this.#whole =
      backend.type === 'memory' ? Number.POSITIVE_INFINITY : (backend.timeouts?.commandMs ?? COMMAND_MS);
    this.#left = this.#whole;
  }

  /** Of a step that was not waited for by `within`. */
  spent(ms: number): void {
    this.#left -= ms;
  }

  /** For what begins after a wait for something else than the store. */
  renew(): void {
    this.#left = this.#whole;
  }

  /** @throws TimeoutError (rejects) when the steps of the call together have taken too long; the step itself goes on */
  async within<T>(step: Promise<T>): Promise<T> {
    const began = performance.now();
    const outcome = await withTimeout(step, this.#left, false);
    this.#left -= performance.now() - began;
    if (outcome === TIMED_OUT) {
      throw new TimeoutError(
        `The store did not answer all steps of a call within ${this.#whole} ms (commandTimeout).`,
      );
    }
    return outcome;
  }
}
