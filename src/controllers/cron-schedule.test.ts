import assert from 'node:assert/strict';
import test from 'node:test';
import { nextTime, parseSchedule } from './cron-schedule.ts';

const next = (schedule: string, after: string, zone?: string) => {
  const parsed = parseSchedule(schedule);
  assert.ok(parsed, schedule);
  const time = nextTime(parsed, Date.parse(after), zone);
  return time === undefined ? undefined : new Date(time).toISOString().slice(0, 16);
};

for (const [schedule, after, expected, zone] of [
  ['* * * * *', '2026-01-01T12:00:00Z', '2026-01-01T12:01'],
  ['*/15 * * * *', '2026-01-01T12:01:30Z', '2026-01-01T12:15'],
  ['5,50-52 3 * * *', '2026-01-01T03:05:00Z', '2026-01-01T03:50'],
  ['0 0 * * *', '2026-01-31T00:00:00Z', '2026-02-01T00:00'],
  ['0 9 * * mon-fri', '2026-01-02T10:00:00Z', '2026-01-05T09:00'],
  ['0 0 13 * 5', '2026-01-10T00:00:00Z', '2026-01-13T00:00'],
  ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2028-02-29T00:00'],
  ['0 0 * * 7', '2026-01-01T00:00:00Z', '2026-01-04T00:00'],
  ['10-40/10 * * * *', '2026-01-01T12:35:00Z', '2026-01-01T12:40'],
  ['@hourly', '2026-01-01T12:35:00Z', '2026-01-01T13:00'],
  ['@every 1h30m', '2026-01-01T12:00:00Z', '2026-01-01T13:30'],
  ['0 9 * * *', '2026-07-01T00:00:00Z', '2026-07-01T07:00', 'Europe/Berlin'],
  ['30 2 * * *', '2026-03-29T00:00:00Z', '2026-03-30T00:30', 'Europe/Berlin'],
] as const) {
  test(`${schedule} after ${after}${zone ? ` in ${zone}` : ''} is ${expected}`, () => {
    assert.equal(next(schedule, after, zone), expected);
  });
}

test('a day that never comes is no time at all', () => {
  assert.equal(next('0 0 31 2 *', '2026-01-01T00:00:00Z'), undefined);
});

for (const text of [
  '',
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '*/0 * * * *',
  'a * * * *',
  '5-1 * * * *',
  '@every',
  '@never',
]) {
  test(`"${text}" is no schedule`, () => {
    assert.equal(parseSchedule(text), undefined);
  });
}
