import assert from 'node:assert/strict';
import test from 'node:test';
import type { CronJob, Job } from '../api/types.ts';
import { planCronJob } from './cron-job-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:30Z');
const template = { spec: { containers: [] } };

const cron = (spec: Partial<CronJob['spec']> = {}, lastScheduleTime?: string): CronJob => ({
  metadata: { name: 'tick', namespace: 'default', uid: 'c', creationTimestamp: '2026-01-01T11:59:30Z' },
  spec: { schedule: '* * * * *', jobTemplate: { spec: { template } }, ...spec },
  ...(lastScheduleTime !== undefined && { status: { lastScheduleTime } }),
});

const job = (name: string, end?: 'Complete' | 'Failed', startTime = '2026-01-01T11:00:00Z'): Job => ({
  metadata: { name, uid: name },
  spec: { template },
  status: { startTime, ...(end && { conditions: [{ type: end, status: 'True' }] }) },
});

test('a time that has come starts a Job named after it, once', () => {
  const plan = planCronJob({ cronJob: cron(), jobs: [], now: NOW });
  assert.equal(plan.create?.metadata.name, `tick-${String(Date.parse('2026-01-01T12:00:00Z') / 60_000)}`);
  assert.equal(plan.status.lastScheduleTime, '2026-01-01T12:00:00Z');
  assert.equal(plan.checkIn, 30_100);
  assert.equal(planCronJob({ cronJob: cron({}, '2026-01-01T12:00:00Z'), jobs: [], now: NOW }).create, undefined);
});

for (const [why, spec, jobs, created, replaced, warning] of [
  ['Allow starts beside one that runs', {}, [job('old')], true, 0, undefined],
  ['Forbid waits for one that runs', { concurrencyPolicy: 'Forbid' }, [job('old')], false, 0, 'JobAlreadyActive'],
  [
    'Forbid does not mind one that has ended',
    { concurrencyPolicy: 'Forbid' },
    [job('old', 'Complete')],
    true,
    0,
    undefined,
  ],
  ['Replace stops one that runs', { concurrencyPolicy: 'Replace' }, [job('old')], true, 1, undefined],
  ['suspend starts nothing', { suspend: true }, [], false, 0, undefined],
  ['a time past its deadline is let go', { startingDeadlineSeconds: 10 }, [], false, 0, undefined],
  ['an unreadable schedule is told', { schedule: 'often' }, [], false, 0, 'UnparseableSchedule'],
  ['a time zone nobody knows is told', { timeZone: 'Mars/Olympus' }, [], false, 0, 'UnknownTimeZone'],
] as const) {
  test(why, () => {
    const plan = planCronJob({ cronJob: cron(spec), jobs, now: NOW });
    assert.deepEqual(
      [plan.create !== undefined, plan.replace.length, plan.warning?.reason],
      [created, replaced, warning],
    );
  });
}

test('of finished Jobs only the newest are kept, three good ones and one failed', () => {
  const at = (minute: number) => `2026-01-01T10:0${String(minute)}:00Z`;
  const jobs = [1, 2, 3, 4, 5].flatMap((n) => [
    job(`good-${String(n)}`, 'Complete', at(n)),
    job(`bad-${String(n)}`, 'Failed', at(n)),
  ]);
  const { remove } = planCronJob({ cronJob: cron(), jobs, now: NOW });
  assert.deepEqual(remove.map(({ metadata }) => metadata.name).sort(), [
    'bad-1',
    'bad-2',
    'bad-3',
    'bad-4',
    'good-1',
    'good-2',
  ]);
});
