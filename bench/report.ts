/** One JSON line per figure, and the arithmetic behind it. */
export interface Figure {
  readonly figure: string;
  readonly unit: string;
  readonly samples: readonly number[];
  /** The same measured with nothing of ours in the way, in the same run. */
  readonly floor?: readonly number[];
  readonly mustBeAtMost?: number;
  /** For rates. */
  readonly mustBeAtLeast?: number;
  /** Which statistic the goal is about. */
  readonly statistic?: 'median' | 'p99' | 'max';
  readonly note?: string;
}

/** Nearest rank. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

const round = (value: number) => Math.round(value * 100) / 100;

export function report(measured: Figure): void {
  const { figure, unit, samples, floor, mustBeAtMost, mustBeAtLeast, statistic = 'median', note } = measured;
  const value = { median: quantile(samples, 0.5), p99: quantile(samples, 0.99), max: Math.max(...samples) };
  const line = {
    figure,
    unit,
    runs: samples.length,
    min: round(Math.min(...samples)),
    median: round(value.median),
    p99: round(value.p99),
    max: round(value.max),
    ...(floor && { floorMedian: round(quantile(floor, 0.5)) }),
    ...(mustBeAtMost !== undefined && {
      goal: `${statistic} <= ${String(mustBeAtMost)}`,
      reached: value[statistic] <= mustBeAtMost,
    }),
    ...(mustBeAtLeast !== undefined && {
      goal: `${statistic} >= ${String(mustBeAtLeast)}`,
      reached: value[statistic] >= mustBeAtLeast,
    }),
    ...(note !== undefined && { note }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
