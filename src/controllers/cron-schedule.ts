/**
 * The `schedule` of a CronJob: five fields (minute, hour, day of month, month, day of week), the `@daily` family and `@every 1h30m`, read on
 * the wall clock of a time zone. Pure.
 */
export type Schedule =
  | { readonly every: number }
  | {
      readonly minutes: ReadonlySet<number>;
      readonly hours: ReadonlySet<number>;
      readonly days: ReadonlySet<number>;
      readonly months: ReadonlySet<number>;
      readonly weekdays: ReadonlySet<number>;
      /** Both day fields say something: then either may match. */
      readonly anyDay: boolean;
    };

const named: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Undefined where the text is no schedule. */
export function parseSchedule(text: string): Schedule | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) {
    const every = parseDuration(trimmed.slice('@every '.length).trim());
    return every === undefined ? undefined : { every };
  }
  const fields = (named[trimmed.toLowerCase()] ?? trimmed).split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5) return undefined;
  const minutes = parseField(minute, 0, 59);
  const hours = parseField(hour, 0, 23);
  const days = parseField(day, 1, 31);
  const months = parseField(month, 1, 12, monthNames);
  const weekdays = parseField(weekday, 0, 7, weekdayNames);
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  if (weekdays.delete(7)) weekdays.add(0);
  return { minutes, hours, days, months, weekdays, anyDay: !isOpen(day) && !isOpen(weekday) };
}

const isOpen = (field: string): boolean => /^[*?](\/1)?$/.test(field);

/** A star, `5`, `1-5`, either with a step like `10-40/10`, `mon`, and lists of these. */
function parseField(text: string, low: number, high: number, names: readonly string[] = []): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of text.toLowerCase().split(',')) {
    const [, range = '', stepText] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    const [, from = '', to] = /^([^-]+)(?:-(.+))?$/.exec(range) ?? [];
    const first = from === '*' || from === '?' ? low : parseNumber(from, low, names);
    const openEnd = from === '*' || from === '?' || (to === undefined && stepText !== undefined);
    const last = to !== undefined ? parseNumber(to, low, names) : openEnd ? high : first;
    const step = stepText === undefined ? 1 : Number(stepText);
    if (first === undefined || last === undefined || first < low || last > high || first > last || step < 1)
      return undefined;
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return values;
}

/** Names count from `low`: jan is 1, sun is 0. */
function parseNumber(text: string, low: number, names: readonly string[]): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const at = names.indexOf(text);
  return at < 0 ? undefined : at + low;
}

/** `1h30m` in ms; at least a second, as finer steps mean nothing to a CronJob. */
function parseDuration(text: string): number | undefined {
  const [, hours = '0', minutes = '0', seconds = '0'] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return ms >= 1000 ? ms : undefined;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * The first time after `after` (ms since the epoch) that the schedule names, or undefined when there is none in five years (31 February).
 * An hour the clocks skip is skipped, one they repeat counts twice for `*`.
 */
export function nextTime(schedule: Schedule, after: number, timeZone = 'UTC'): number | undefined {
  if ('every' in schedule) return Math.floor(after / 1000) * 1000 + schedule.every;
  const wallClock = wallClockOf(timeZone);
  let time = (Math.floor(after / MINUTE) + 1) * MINUTE;
  const end = after + 5 * 366 * DAY;
  while (time < end) {
    const { month, day, weekday, hour, minute } = wallClock(time);
    if (!schedule.months.has(month) || !matchesDay(schedule, day, weekday)) {
      // In one stride to the evening of the same day, whatever the clocks do in it; from there by hours.
      time += hour < 20 ? (20 - hour) * 60 * MINUTE : (60 - minute) * MINUTE;
    } else if (!schedule.hours.has(hour)) time += (60 - minute) * MINUTE;
    else if (!schedule.minutes.has(minute)) time += MINUTE;
    else return time;
  }
  return undefined;
}

function matchesDay(schedule: Exclude<Schedule, { every: number }>, day: number, weekday: number): boolean {
  const byDay = schedule.days.has(day);
  const byWeekday = schedule.weekdays.has(weekday);
  return schedule.anyDay ? byDay || byWeekday : byDay && byWeekday;
}

/** Whether `nextTime` knows the zone. */
export function isTimeZone(name: string): boolean {
  try {
    wallClockOf(name);
    return true;
  } catch {
    return false;
  }
}

interface WallClock {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
}

/** @throws RangeError for a time zone that is not known */
function wallClockOf(timeZone: string): (time: number) => WallClock {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') {
    return (time) => {
      const date = new Date(time);
      return {
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        weekday: date.getUTCDay(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
      };
    };
  }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    month: 'numeric',
    day: 'numeric',
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (time) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const weekday = weekdayNames.indexOf((parts['weekday'] ?? '').toLowerCase());
    const number = (name: string) => Number(parts[name] ?? 0);
    return { month: number('month'), day: number('day'), weekday, hour: number('hour'), minute: number('minute') };
  };
}
