import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { deletionCost, rankForDeletion } from './pod-rank.ts';
import { planReplicas, replicaStatus } from './replica-set-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const minutesAgo = (minutes: number) => timestamp(NOW - minutes * 60_000);

interface PodShape {
  node?: string;
  phase?: string;
  ready?: number | false;
  cost?: string;
  restarts?: number;
  age?: number;
  labels?: Record<string, string>;
}

function pod(name: string, shape: PodShape = {}): Pod {
  const { node = 'a', phase = 'Running', ready = 60, cost, restarts = 0, age = 60, labels = { app: 'web' } } = shape;
  return {
    metadata: {
      name,
      uid: name,
      labels,
      creationTimestamp: minutesAgo(age),
      ...(cost !== undefined && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node !== '' && { nodeName: node }) },
    status: {
      phase,
      conditions: [
        {
          type: 'Ready',
          status: ready === false ? 'False' : 'True',
          lastTransitionTime: minutesAgo(ready === false ? 0 : ready),
        },
      ],
      containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: restarts }],
    },
  };
}

const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name).join(' ');

for (const [why, first, second] of [
  ['without a node before with one', pod('first', { node: '' }), pod('second')],
  ['pending before running', pod('first', { phase: 'Pending' }), pod('second')],
  ['unknown before running', pod('first', { phase: 'Unknown' }), pod('second')],
  ['not ready before ready', pod('first', { ready: false }), pod('second')],
  ['cheap before dear', pod('first', { cost: '-5' }), pod('second')],
  ['ready for a short time before long', pod('first', { ready: 2 }), pod('second', { ready: 60 })],
  ['often restarted before never', pod('first', { restarts: 3 }), pod('second')],
  ['young before old', pod('first', { age: 2 }), pod('second', { age: 60 })],
  ['by uid where ages are about the same', pod('a', { age: 60 }), pod('b', { age: 59 })],
] as const) {
  test(`of two pods the one that goes first is ${why}`, () => {
    assert.equal(names(rankForDeletion([second, first], [first, second], NOW)), names([first, second]));
  });
}

test('a pod on a node that holds several of the family goes before one that is alone', () => {
  const pods = [pod('alone', { node: 'a' }), pod('x', { node: 'b' }), pod('y', { node: 'b' })];
  assert.equal(names(planReplicas(1, pods, pods, NOW).remove), 'x y');
});

test('a deletion cost that is no whole number counts as none', () => {
  assert.deepEqual(
    ['7', '-7', '+7', '07', '1.5', 'x', ''].map((cost) => deletionCost(pod('p', { cost }))),
    [7, -7, 0, 0, 0, 0, 0],
  );
});

for (const [wanted, have, create, remove] of [
  [3, 0, 3, 0],
  [3, 3, 0, 0],
  [1, 3, 0, 2],
  [0, 2, 0, 2],
  [2000, 0, 500, 0],
] as const) {
  test(`with ${String(have)} pods and ${String(wanted)} asked for, ${String(create)} are made and ${String(remove)} go`, () => {
    const pods = Array.from({ length: have }, (_, at) => pod(`p${String(at)}`));
    const plan = planReplicas(wanted, pods, pods, NOW);
    assert.deepEqual([plan.create, plan.remove.length], [create, remove]);
  });
}

test('the status counts labels, readiness and minReadySeconds apart', () => {
  const pods = [
    pod('old', { ready: 10 }),
    pod('fresh', { ready: 0 }),
    pod('waiting', { ready: false }),
    pod('odd', { labels: { app: 'other' } }),
  ];
  const template = { metadata: { labels: { app: 'web' } } };
  assert.deepEqual(replicaStatus({ generation: 4, template, minReadySeconds: 30, old: undefined, pods, now: NOW }), {
    replicas: 4,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 2,
    observedGeneration: 4,
  });
});

test('a failed create is a condition until the next try works', () => {
  const input = { generation: 1, template: {}, minReadySeconds: 0, pods: [], now: NOW };
  const failed = replicaStatus({ ...input, old: undefined, failure: { reason: 'FailedCreate', message: 'no' } });
  assert.deepEqual(
    failed.conditions?.map(({ type, reason, message }) => [type, reason, message]),
    [['ReplicaFailure', 'FailedCreate', 'no']],
  );
  assert.equal(replicaStatus({ ...input, old: failed }).conditions, undefined);
});
