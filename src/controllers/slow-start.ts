/** Many requests of which the first may already show that all will fail: 1, then 2, then 4 at a time, until one fails. */
export interface SlowStartResult {
  /** Calls made, failed ones included; the rest were not tried. */
  readonly tried: number;
  readonly failed: number;
  readonly error?: unknown;
}

export async function slowStart(count: number, call: (index: number) => Promise<void>): Promise<SlowStartResult> {
  let tried = 0;
  for (let batch = 1; tried < count; batch *= 2) {
    const size = Math.min(batch, count - tried);
    const first = tried;
    tried += size;
    const results = await Promise.allSettled(Array.from({ length: size }, (_, at) => call(first + at)));
    const errors = results.filter((result) => result.status === 'rejected');
    if (errors.length > 0) return { tried, failed: errors.length, error: errors[0]?.reason };
  }
  return { tried, failed: 0 };
}

/** No more than so many pods are created or deleted for one owner at a time. */
export const BURST = 500;
