/** Text for people: aligned tables and short durations. */

/** Columns aligned as kubectl does: left, three spaces between, none at the end of a line. One line per row, each ended by a newline. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd((widths[at] ?? 0) + 3))
      .join('')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Age as kubectl writes it (8-026): two units at most, the second only while it matters. A clock up to 2 s behind counts as 0. */
export function humanDuration(ms: number): string {
  const whole = (unit: number) => Math.trunc(ms / unit);
  const two = (unit: number, name: string, part: number, partName: string) => {
    const rest = Math.trunc((ms % unit) / part);
    return `${String(whole(unit))}${name}${rest === 0 ? '' : `${String(rest)}${partName}`}`;
  };
  if (whole(SECOND) < -1) return '<invalid>';
  if (ms < 0) return '0s';
  if (ms < 2 * MINUTE) return `${String(whole(SECOND))}s`;
  if (ms < 10 * MINUTE) return two(MINUTE, 'm', SECOND, 's');
  if (ms < 3 * HOUR) return `${String(whole(MINUTE))}m`;
  if (ms < 8 * HOUR) return two(HOUR, 'h', MINUTE, 'm');
  if (ms < 2 * DAY) return `${String(whole(HOUR))}h`;
  if (ms < 8 * DAY) return two(DAY, 'd', HOUR, 'h');
  if (ms < 2 * YEAR) return `${String(whole(DAY))}d`;
  if (ms < 8 * YEAR) return two(YEAR, 'y', DAY, 'd');
  return `${String(whole(YEAR))}y`;
}
