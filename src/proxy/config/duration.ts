/** Durations as Go writes them: `30s`, `1h0m0s`, `1.5h`, `250ms`. Milliseconds here. */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** undefined where `text` is none. A number needs its unit, but for `0`. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  let total = 0;
  PART.lastIndex = 0;
  let at = 0;
  while (at < rest.length) {
    const [whole = '', number = '', unit = ''] = PART.exec(rest) ?? [];
    if (whole === '') return undefined;
    total += Number(number) * (UNITS[unit] ?? NaN);
    at = PART.lastIndex;
  }
  return at === 0 ? undefined : sign * total;
}

/** The way Go prints it, so that a file written here reads like one of kube-proxy. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return ms >= 1 ? `${String(ms)}ms` : `${String(ms * 1000)}µs`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  const parts = [hours > 0 ? `${String(hours)}h` : '', hours + minutes > 0 ? `${String(minutes)}m` : ''];
  return `${parts.join('')}${String(seconds)}s`;
}
