/** Is this a schedule a CronJob can run by? Five fields of numbers, names, ranges and steps, or one of the @ forms. */
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const fields: { from: number; to: number; names?: readonly string[] }[] = [
  { from: 0, to: 59 },
  { from: 0, to: 23 },
  { from: 1, to: 31 },
  { from: 1, to: 12, names: months },
  { from: 0, to: 6, names: days },
];

const macros = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

export function isCronSchedule(schedule: string): boolean {
  if (schedule.startsWith('@'))
    return macros.includes(schedule) || /^@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(schedule);
  const parts = schedule.trim().split(/\s+/);
  return (
    parts.length === fields.length && parts.every((part, index) => part.split(',').every((item) => isItem(item, index)))
  );
}

function isItem(item: string, index: number): boolean {
  const [range = '', step, ...more] = item.split('/');
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*' || range === '?') return true;
  const ends = range.split('-').map((end) => numberOf(end, index));
  const [first, last = first] = ends;
  return ends.length <= 2 && first !== undefined && last !== undefined && first <= last;
}

function numberOf(text: string, index: number): number | undefined {
  const field = fields[index];
  if (!field) return undefined;
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  // Months are counted from one, days of the week from zero.
  if (named >= 0) return named + field.from;
  if (!/^\d+$/.test(text)) return undefined;
  const number = Number(text);
  return number >= field.from && number <= field.to ? number : undefined;
}
