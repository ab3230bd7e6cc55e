import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, StatefulSet } from '../api/types.ts';
import { planHistory, beyondLimit, templateOf } from './revision.ts';
import { STATEFUL_SETS } from '../api/kinds.ts';
import { planStateful, statefulStatus } from './stateful-set-plan.ts';
import { claimsOf, ordinalOf, statefulPod } from './stateful-set-pod.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

const set = (spec: Partial<StatefulSet['spec']> = {}): StatefulSet => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u', generation: 2 },
  spec: {
    replicas: 3,
    serviceName: 'nginx',
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } },
    ...spec,
  },
});

/** `0` healthy and new, `1o` old, `2u` unready, `3t` terminating, `4f` failed; marks combine. */
function pods(text: string): Pod[] {
  return text
    .split(' ')
    .filter(Boolean)
    .map((word) => {
      const marks = word.replace(/^\d+/, '');
      const made = statefulPod(set(), parseInt(word), {}, marks.includes('o') ? 'old' : 'new');
      const status = marks.includes('u') ? 'False' : 'True';
      return {
        ...made,
        metadata: {
          ...made.metadata,
          uid: made.metadata.name,
          ...(marks.includes('t') && { deletionTimestamp: 'now' }),
        },
        status: {
          phase: marks.includes('f') ? 'Failed' : 'Running',
          conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T11:00:00Z' }],
        },
      };
    });
}

const input = (spec: Partial<StatefulSet['spec']>, text: string) => ({
  set: set(spec),
  pods: pods(text),
  current: 'old',
  update: 'new',
  now: NOW,
});

function plan(spec: Partial<StatefulSet['spec']>, text: string): string {
  const { create, remove } = planStateful(input(spec, text));
  return [
    ...create.map(({ ordinal, revision }) => `+${String(ordinal)}${revision === 'current' ? 'o' : ''}`),
    ...remove.map((pod) => `-${String(ordinalOf(set(), pod))}`),
  ].join(' ');
}

const parallel = { podManagementPolicy: 'Parallel' };
const partition = (at: number) => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: at } } });

for (const [why, spec, present, expected] of [
  ['the first pod comes first', {}, '', '+0'],
  ['the next one waits until the last is ready', {}, '0u', ''],
  ['and comes when it is', {}, '0', '+1'],
  ['a hole is filled before anything above', {}, '1 2', '+0'],
  ['a failed pod is deleted to be made anew', {}, '0 1f 2', '-1'],
  ['a pod that is going is waited for', {}, '0 1t', ''],
  ['Parallel makes all at once', parallel, '1u', '+0 +2'],
  ['Parallel removes all at once', { ...parallel, replicas: 1 }, '0 1 2', '-2 -1'],
  ['scaling down goes from the top, one at a time', { replicas: 1 }, '0 1 2', '-2'],
  ['and waits for each to be gone', { replicas: 1 }, '0 1 2t', ''],
  ['nothing is removed while a lower one is not ready', { replicas: 1 }, '0u 1', ''],
  ['ordinals may start elsewhere', { ordinals: { start: 5 } }, '5', '+6'],
  ['pods below the start go', { ordinals: { start: 1 }, replicas: 1 }, '0 1', '-0'],
  ['an update begins at the top', {}, '0o 1o 2o', '-2'],
  ['and goes on when the top is healthy again', {}, '0o 1o 2', '-1'],
  ['and waits while it is not', {}, '0o 1o 2u', ''],
  ['pods below the partition are left alone', partition(2), '0o 1o 2', ''],
  ['and come back as they were', partition(2), '1o 2', '+0o'],
  ['OnDelete leaves it to people', { updateStrategy: { type: 'OnDelete' } }, '0o 1o 2o', ''],
  ['a Parallel set is updated one at a time too', parallel, '0o 1o 2u', ''],
] as const) {
  test(`${why} (${present === '' ? 'none' : present})`, () => {
    assert.equal(plan(spec, present), expected);
  });
}

test('a pod carries its name in hostname, label and index, and the set as its subdomain', () => {
  const pod = statefulPod(set(), 1, { spec: { containers: [] } }, 'h');
  assert.equal(pod.metadata.name, 'web-1');
  assert.equal(pod.metadata.generateName, undefined);
  assert.deepEqual([pod.spec.hostname, pod.spec.subdomain], ['web-1', 'nginx']);
  assert.equal(pod.metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'web-1');
  assert.equal(pod.metadata.labels['apps.kubernetes.io/pod-index'], '1');
});

test('claims are named after template, set and ordinal, and the pod mounts them', () => {
  const withClaims = set({ volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] });
  assert.deepEqual(
    claimsOf(withClaims, 2).map(({ metadata }) => metadata.name),
    ['data-web-2'],
  );
  const volumes = statefulPod(withClaims, 2, {}, 'h').spec.volumes;
  assert.deepEqual(volumes, [{ name: 'data', persistentVolumeClaim: { claimName: 'data-web-2' } }]);
});

test('only names with a plain number belong to the set', () => {
  const named = (name: string) => ordinalOf(set(), { metadata: { name } });
  assert.deepEqual(['web-0', 'web-12', 'web-01', 'web-x', 'web-', 'api-0', 'web-1-2'].map(named), [
    0,
    12,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('the new revision becomes the current one when every pod has it and is ready', () => {
  const names = { current: 'web-old', update: 'web-new' };
  const half = statefulStatus(input({}, '0o 1o 2'), names);
  assert.deepEqual(
    [half.currentRevision, half.updateRevision, half.currentReplicas, half.updatedReplicas],
    ['web-old', 'web-new', 2, 1],
  );
  const whole = statefulStatus(input({}, '0 1 2'), names);
  assert.deepEqual(
    [
      whole.currentRevision,
      whole.currentReplicas,
      whole.readyReplicas,
      whole.availableReplicas,
      whole.observedGeneration,
    ],
    ['web-new', 3, 3, 3, 2],
  );
});

test('a history keeps one revision per template, renumbers one that comes back, and forgets the oldest', () => {
  const withImage = (image: string) =>
    set({ template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } } });
  const first = planHistory(STATEFUL_SETS, withImage('v1'), [], 0);
  assert.deepEqual([first.create, first.current.revision], [true, 1]);
  const second = planHistory(STATEFUL_SETS, withImage('v2'), [first.current], 0);
  assert.deepEqual([second.create, second.current.revision], [true, 2]);
  const stored = [first.current, second.current];
  assert.deepEqual(planHistory(STATEFUL_SETS, withImage('v2'), stored, 0).create, false);
  const back = planHistory(STATEFUL_SETS, withImage('v1'), stored, 0);
  assert.deepEqual(
    [back.create, back.renumber, back.current.revision, back.current.metadata.name],
    [false, true, 3, first.current.metadata.name],
  );
  assert.equal(templateOf(back.current).spec?.containers[0]?.image, 'v1');
  const limited = { ...withImage('v1'), spec: { ...withImage('v1').spec, revisionHistoryLimit: 0 } };
  assert.equal(beyondLimit(limited, back, new Set()).length, 1);
  assert.equal(beyondLimit(limited, back, new Set([second.current.metadata.name])).length, 0);
});
