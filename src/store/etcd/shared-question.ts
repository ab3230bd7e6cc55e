/** Shares one question among all who ask while it is not yet sent. A question already under way may have been answered before they asked. */
export class SharedQuestion<T> {
  readonly #ask: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /** Resolves when an asking has ended that began after this call. */
  ask(): Promise<T> {
    this.#next ??= Promise.resolve(this.#running)
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#running = this.#ask();
        return this.#running;
      });
    return this.#next;
  }
}
