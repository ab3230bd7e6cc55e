/** How long the past is kept: decides what to compact, and does it in slices so that the event loop is never held for long. */

export interface Retention {
  /** Age at which the past may go, ms. */
  readonly keepMs: number;
  /** More revisions than this are not kept, however young. */
  readonly keepRevisions: number;
  /** How often to look, ms. */
  readonly everyMs: number;
}

const DEFAULT: Retention = { keepMs: 5 * 60_000, keepRevisions: 50_000, everyMs: 15_000 };

export interface Sample {
  readonly at: number;
  readonly revision: number;
}

/** The revision to compact to: the newest that is old enough, or as many back from the last as may be kept. Pure. */
export function decideCompaction(samples: readonly Sample[], now: number, revision: number, keep: Retention): number {
  const old = samples.findLast(({ at }) => at <= now - keep.keepMs)?.revision ?? 0;
  return Math.max(old, revision - keep.keepRevisions);
}

/** Revisions dropped in one go: a few milliseconds. */
const SLICE = 500;

/** Calls `drop` for one slice after the other with a turn of the event loop in between. */
export async function compactInSlices(
  from: number,
  to: number,
  drop: (slice: { from: number; through: number }) => void,
): Promise<void> {
  for (let at = from; at < to; at += SLICE) {
    await new Promise((resolve) => setImmediate(resolve));
    drop({ from: at, through: Math.min(to, at + SLICE) });
  }
}

interface Compactable {
  revision(): number;
  compact(revision: number): Promise<void>;
}

/** Notes the revision from time to time and compacts what has become too old. Does not keep the process alive. */
export class RetentionTimer {
  readonly #timer: NodeJS.Timeout;

  constructor(store: Compactable, keep: Retention = DEFAULT) {
    let samples: Sample[] = [{ at: Date.now(), revision: store.revision() }];
    let compacting = false;
    this.#timer = setInterval(() => {
      const now = Date.now();
      const target = decideCompaction(samples, now, store.revision(), keep);
      // The one that is old enough stays, everything older is of no use any more.
      samples = [...samples.filter(({ revision }) => revision >= target), { at: now, revision: store.revision() }];
      if (compacting) return;
      compacting = true;
      store
        .compact(target)
        // A full or failing disk shows itself to every writer: here it only means that nothing is freed this time.
        .catch(() => {})
        .finally(() => {
          compacting = false;
        });
    }, keep.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
