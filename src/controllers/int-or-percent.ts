/** `maxSurge: 25%` and `maxUnavailable: 1`: an IntOrString of the API as a count of pods. */
export type IntOrPercent = number | string | undefined;

/** The count that `value` means out of `total`; text that is neither a number nor a percentage counts as 0. */
export function resolveIntOrPercent(value: IntOrPercent, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value ?? '')?.[1];
  if (percent === undefined) return /^\d+$/.test(value ?? '') ? Number(value) : 0;
  const exact = (Number(percent) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
