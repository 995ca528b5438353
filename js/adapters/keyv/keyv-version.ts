/**
 * Which Keyv has taken an adapter: by what its constructor does to a store, one step after the other within one turn. No
 * step says anything alone, so that whoever looks at an adapter changes nothing.
 *
 * Keyv 6 reads `capabilities`, reads `namespace`, and listens to `error`. Keyv 5 listens to `error` and sets `namespace`.
 */
type Step = 'capabilities' | 'capabilities, namespace' | 'error';

export class KeyvVersion {
  /** Listeners to `error` that are Keyv's own. */
  listeners = 0;
  #step: Step | undefined;

  capabilitiesRead(): void {
    this.#at('capabilities');
  }

  namespaceRead(): void {
    this.#at(this.#step === 'capabilities' ? 'capabilities, namespace' : undefined);
  }

  namespaceSet(): void {
    if (this.#step === 'error') {
      this.listeners++;
    }
    this.#at(undefined);
  }

  /** @returns whether Keyv 6 listens */
  errorHeard(): boolean {
    const six = this.#step === 'capabilities, namespace';
    if (six) {
      this.listeners++;
    }
    this.#at(six ? undefined : 'error');
    return six;
  }

  #at(step: Step | undefined): void {
    this.#step = step;
    if (step !== undefined) {
      queueMicrotask(() => {
        this.#step = undefined;
      });
    }
  }
}
