/** A stream of bytes, cut where lines end. */
const NEWLINE = 10;

export class WholeLines {
  readonly #take: (lines: Buffer) => void;
  /** The beginning of a line whose end is still to come. */
  #begun: Buffer[] = [];

  /** `take`: gets one or more lines, each with its end, the last perhaps without. */
  constructor(take: (lines: Buffer) => void) {
    this.#take = take;
  }

  add(chunk: Buffer): void {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      const whole = Buffer.concat([...this.#begun, chunk.subarray(0, end)]);
      this.#begun = [];
      this.#take(whole);
    }
    if (end < chunk.length) this.#begun.push(chunk.subarray(end));
  }

  /** After the last chunk. */
  end(): void {
    const rest = Buffer.concat(this.#begun);
    this.#begun = [];
    if (rest.length > 0) this.#take(rest);
  }
}
