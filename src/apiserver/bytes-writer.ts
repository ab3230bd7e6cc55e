/** Puts texts one behind the other into one buffer: a list of thousands never becomes a string of megabytes that is copied again. */
export class BytesWriter {
  #buffer: Buffer;
  #end = 0;

  /** `expected`: bytes, about. */
  constructor(expected: number) {
    this.#buffer = Buffer.allocUnsafeSlow(expected);
  }

  write(text: string): void {
    // No character of a JavaScript string takes more than three bytes of UTF-8.
    const most = this.#end + text.length * 3;
    if (most > this.#buffer.length) {
      const exact = this.#end + Buffer.byteLength(text);
      if (exact > this.#buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.ceil(exact * 1.25));
        this.#buffer.copy(larger, 0, 0, this.#end);
        this.#buffer = larger;
      }
    }
    this.#end += this.#buffer.write(text, this.#end);
  }

  /** What was written; nothing may be written afterwards. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }
}
