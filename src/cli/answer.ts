/** A command that ends early with an exit code of its own: 1 when the answer is no, 2 when it was used wrongly. */
export class Answer extends Error {
  override name = 'Answer';
  readonly exitCode: number;
  constructor(exitCode: number, message = '') {
    super(message);
    this.exitCode = exitCode;
  }
}
