import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Job, Pod } from '../api/types.ts';
import { formatIndexes, parseIndexes } from './job-index.ts';
import { jobPod, TRACKING } from './job-pod.ts';
import { planJob, type JobPlan } from './job-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const iso = (ms: number) => new Date(ms).toISOString();

function job(spec: Partial<Job['spec']> = {}, status?: Job['status']): Job {
  const template = { spec: { containers: [{ name: 'c' }], restartPolicy: 'Never' } };
  return {
    metadata: { name: 'work', uid: 'j' },
    spec: { template, completions: 3, parallelism: 2, backoffLimit: 2, ...spec },
    ...(status && { status }),
  };
}

interface PodShape {
  phase?: string;
  tracked?: boolean;
  index?: number;
  endedMsAgo?: number;
  terminating?: boolean;
  restarts?: number;
}

function pod(uid: string, shape: PodShape = {}): Pod {
  const { phase = 'Running', tracked = true, index, endedMsAgo = 3_600_000, terminating = false, restarts = 0 } = shape;
  const state = phase === 'Running' ? {} : { terminated: { exitCode: 0, finishedAt: iso(NOW - endedMsAgo) } };
  return {
    metadata: {
      name: uid,
      uid,
      ...(tracked && { finalizers: [TRACKING] }),
      ...(index !== undefined && { annotations: { 'batch.kubernetes.io/job-completion-index': String(index) } }),
      ...(terminating && { deletionTimestamp: iso(NOW) }),
    },
    spec: { containers: [] },
    status: {
      phase,
      containerStatuses: [{ name: 'c', image: '', imageID: '', ready: false, restartCount: restarts, state }],
    },
  };
}

const plan = (theJob: Job, pods: readonly Pod[], now = NOW) => planJob({ job: theJob, pods, now });
const conditions = ({ status }: JobPlan) =>
  (status.conditions ?? []).map(({ type, reason }) => `${type}/${reason ?? ''}`).join(' ');

for (const [why, spec, pods, create, remove] of [
  ['as many as parallelism allows are started', {}, [], 2, 0],
  ['no more than are still needed', {}, [pod('a', { phase: 'Succeeded' }), pod('b', { phase: 'Succeeded' })], 1, 0],
  ['running ones count', {}, [pod('a')], 1, 0],
  ['less parallelism stops some', { parallelism: 1 }, [pod('a'), pod('b')], 0, 1],
  [
    'a work queue starts none after the first success',
    { completions: undefined },
    [pod('a', { phase: 'Succeeded' }), pod('b')],
    0,
    0,
  ],
  ['suspend stops all', { suspend: true }, [pod('a'), pod('b')], 0, 2],
  ['a pod being deleted is replaced after the delay', {}, [pod('a', { terminating: true }), pod('b')], 0, 0],
] as const) {
  test(why, () => {
    const next = plan(job(spec as Partial<Job['spec']>), pods);
    assert.deepEqual([next.create.length, next.remove.length], [create, remove]);
  });
}

test('an ended pod is noted first, counted only when its finalizer is gone', () => {
  const ended = pod('a', { phase: 'Succeeded' });
  const noted = plan(job(), [ended]);
  assert.deepEqual(noted.status.uncountedTerminatedPods, { succeeded: ['a'] });
  assert.equal(noted.status.succeeded, undefined);
  assert.deepEqual(noted.untrack, [ended]);
  const again = plan(job({}, noted.status), [ended]);
  assert.deepEqual(again.status, noted.status);
  const counted = plan(job({}, noted.status), [pod('a', { phase: 'Succeeded', tracked: false })]);
  assert.equal(counted.status.succeeded, 1);
  assert.deepEqual(counted.status.uncountedTerminatedPods, {});
  const gone = plan(job({}, counted.status), []);
  assert.equal(gone.status.succeeded, 1);
});

test('a Job ends in two steps: decided, then complete when every pod is counted', () => {
  const pods = ['a', 'b', 'c'].map((uid) => pod(uid, { phase: 'Succeeded' }));
  const decided = plan(job(), pods);
  assert.equal(conditions(decided), 'SuccessCriteriaMet/CompletionsReached');
  assert.equal(decided.status.completionTime, undefined);
  const complete = plan(
    job({}, decided.status),
    pods.map((each) => pod(each.metadata.name, { phase: 'Succeeded', tracked: false })),
  );
  assert.equal(conditions(complete), 'SuccessCriteriaMet/CompletionsReached Complete/CompletionsReached');
  assert.equal(complete.status.succeeded, 3);
  assert.equal(complete.status.completionTime, '2026-01-01T12:00:00Z');
  assert.deepEqual(
    complete.events.map(({ reason }) => reason),
    ['Completed'],
  );
});

test('one failure more than backoffLimit ends the Job and stops what still runs', () => {
  const failed = ['a', 'b', 'c'].map((uid) => pod(uid, { phase: 'Failed' }));
  const next = plan(job(), [...failed, pod('d')]);
  assert.equal(conditions(next), 'FailureTarget/BackoffLimitExceeded');
  assert.deepEqual(
    next.remove.map(({ metadata }) => metadata.name),
    ['d'],
  );
  assert.equal(conditions(plan(job(), failed.slice(1))), '');
});

test('restarts inside pods count against the limit under OnFailure', () => {
  const template = { spec: { containers: [], restartPolicy: 'OnFailure' } };
  assert.equal(
    conditions(plan(job({ template }), [pod('a', { restarts: 2 }), pod('b', { restarts: 1 })])),
    'FailureTarget/BackoffLimitExceeded',
  );
});

test('a Job past its deadline fails', () => {
  const startTime = iso(NOW - 5000);
  assert.equal(plan(job({ activeDeadlineSeconds: 10 }, { startTime }), []).checkIn, 5000);
  assert.equal(
    conditions(plan(job({ activeDeadlineSeconds: 5 }, { startTime }), [])),
    'FailureTarget/DeadlineExceeded Failed/DeadlineExceeded',
  );
});

for (const [failures, endedMsAgo, wait] of [
  [1, 4000, 6000],
  [2, 4000, 16_000],
  [2, 20_000, undefined],
] as const) {
  test(`after ${String(failures)} failures, the last ${String(endedMsAgo)} ms ago, ${wait === undefined ? 'pods start' : `${String(wait)} ms pass first`}`, () => {
    const pods = Array.from({ length: failures }, (_, at) =>
      pod(String(at), { phase: 'Failed', endedMsAgo: endedMsAgo + at }),
    );
    const next = plan(job({ backoffLimit: 6 }), pods);
    assert.deepEqual([next.checkIn, next.create.length], [wait, wait === undefined ? 2 : 0]);
  });
}

test('suspending says so and stops the clock, resuming starts it anew', () => {
  const suspended = plan(job({ suspend: true }, { startTime: iso(NOW - 60_000) }), []);
  assert.equal(conditions(suspended), 'Suspended/JobSuspended');
  assert.equal(suspended.status.startTime, undefined);
  const resumed = plan(job({}, suspended.status), []);
  assert.equal(conditions(resumed), 'Suspended/JobResumed');
  assert.equal(resumed.status.startTime, '2026-01-01T12:00:00Z');
});

test('an Indexed Job runs every index once and remembers which are done', () => {
  const indexed = job({ completionMode: 'Indexed', completions: 5, parallelism: 3 });
  assert.deepEqual(plan(indexed, []).create, [0, 1, 2]);
  const pods = [
    pod('a', { index: 0, phase: 'Succeeded' }),
    pod('b', { index: 1, phase: 'Failed' }),
    pod('c', { index: 2 }),
    pod('d', { index: 2 }),
  ];
  const next = plan(indexed, pods);
  assert.deepEqual(next.create, [1, 3]);
  assert.deepEqual(
    next.remove.map(({ metadata }) => metadata.name),
    ['d'],
  );
  assert.deepEqual([next.status.completedIndexes, next.status.succeeded], ['0', 1]);
});

test('a pod of an Indexed Job knows its index by name, label, annotation and environment', () => {
  const made = jobPod(job({ completionMode: 'Indexed' }), 4);
  assert.equal(made.metadata.generateName, 'work-4-');
  assert.equal(made.spec.hostname, 'work-4');
  assert.equal(made.metadata.labels?.['batch.kubernetes.io/job-completion-index'], '4');
  assert.equal(made.metadata.labels['batch.kubernetes.io/job-name'], 'work');
  assert.equal(made.metadata.labels['batch.kubernetes.io/controller-uid'], 'j');
  assert.deepEqual(made.metadata.finalizers, [TRACKING]);
  assert.equal(made.spec.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
});

test('sets of indexes survive being spelled and read', () => {
  assert.equal(formatIndexes(new Set([9, 0, 2, 3, 4, 6, 7])), '0,2-4,6,7,9');
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 60 })), (list) => {
      const set = new Set(list);
      assert.deepEqual(parseIndexes(formatIndexes(set), 61), new Set([...set].sort((a, b) => a - b)));
    }),
  );
});
