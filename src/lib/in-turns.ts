/** Long work cut into pieces, so that what else the process has to do is done in between. */

/** Each `yield` of the work is a point at which others may have their turn. */
export type Work<Result> = Generator<void, Result, void>;

/** One piece per turn of the event loop. */
export async function inTurns<Result>(work: Work<Result>): Promise<Result> {
  for (;;) {
    const piece = work.next();
    if (piece.done === true) return piece.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** All pieces now. */
export function atOnce<Result>(work: Work<Result>): Result {
  for (;;) {
    const piece = work.next();
    if (piece.done === true) return piece.value;
  }
}
