/** Bytes that are no DNS message, or a message that cannot be put into bytes. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WireError';
  }
}
