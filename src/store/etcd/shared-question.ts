/** Shares one question among all who ask while it is not yet sent. A question already under way may have been answered before they asked. */
export class SharedQuestion {
  readonly #ask: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** Resolves when an asking has ended that began after this call. */
  ask(): Promise<void> {
    this.#next ??= (this.#running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#running = this.#ask();
        return this.#running;
      });
    return this.#next;
  }
}
