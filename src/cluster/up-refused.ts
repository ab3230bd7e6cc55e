/** The machine or the request will not do: each problem is one line for the user. */
export class UpRefused extends Error {
  override name = 'UpRefused';
  readonly problems: readonly string[];
  /** The request was wrong, not the machine. */
  readonly usage: boolean;
  constructor(problems: readonly string[], usage: boolean) {
    super(problems.join('\n'));
    this.problems = problems;
    this.usage = usage;
  }
}

export function refuse(problems: readonly string[], usage = false): void {
  if (problems.length > 0) throw new UpRefused(problems, usage);
}
