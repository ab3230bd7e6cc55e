import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { DaemonSet, Node, Pod } from '../api/types.ts';
import { daemonPod, decideNode, nodeOf } from './daemon-set-pod.ts';
import { daemonStatus, planDaemons } from './daemon-set-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

const node = (name: string, spec: Node['spec'] = {}, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec,
});

const set = (podSpec: object = {}, spec: Partial<DaemonSet['spec']> = {}): DaemonSet => ({
  metadata: { name: 'ds', namespace: 'default', uid: 'u', generation: 1 },
  spec: {
    selector: { matchLabels: { app: 'ds' } },
    template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [], ...podSpec } },
    ...spec,
  },
});

function pod(
  on: string,
  { hash = 'new', ready = true, phase = 'Running', terminating = false, name = `ds-${on}` } = {},
): Pod {
  const made = daemonPod(set(), on, hash);
  const status = ready ? 'True' : 'False';
  return {
    ...made,
    metadata: {
      ...made.metadata,
      name,
      uid: name,
      creationTimestamp: `2026-01-01T11:00:${String(name.length).padStart(2, '0')}Z`,
      ...(terminating && { deletionTimestamp: '2026-01-01T12:00:00Z' }),
    },
    status: { phase, conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T11:30:00Z' }] },
  };
}

const taint = (effect: string, key = 'k') => ({ taints: [{ key, effect, value: 'v' }] });
const affinity = (term: object) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } },
});

for (const [why, podSpec, onNode, expected] of [
  ['a plain node', {}, node('a'), 'run'],
  ['a cordoned node', {}, node('a', taint('NoSchedule', 'node.kubernetes.io/unschedulable')), 'run'],
  ['a node that is not ready', {}, node('a', taint('NoExecute', 'node.kubernetes.io/not-ready')), 'run'],
  ['a node tainted NoSchedule', {}, node('a', taint('NoSchedule')), 'stay'],
  ['a node tainted NoExecute', {}, node('a', taint('NoExecute')), 'leave'],
  ['a taint that is tolerated', { tolerations: [{ operator: 'Exists' }] }, node('a', taint('NoExecute')), 'run'],
  [
    'a toleration of another value',
    { tolerations: [{ key: 'k', value: 'x' }] },
    node('a', taint('NoSchedule')),
    'stay',
  ],
  ['a selector that matches', { nodeSelector: { disk: 'ssd' } }, node('a', {}, { disk: 'ssd' }), 'run'],
  ['a selector that does not', { nodeSelector: { disk: 'ssd' } }, node('a'), 'leave'],
  [
    'affinity by name',
    affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }),
    node('a'),
    'run',
  ],
  [
    'affinity by label',
    affinity({ matchExpressions: [{ key: 'n', operator: 'Gt', values: ['5'] }] }),
    node('a', {}, { n: '4' }),
    'leave',
  ],
  ['an empty affinity term', affinity({}), node('a'), 'leave'],
] as const) {
  test(`${why}: ${expected}`, () => {
    assert.equal(decideNode(set(podSpec), onNode), expected);
  });
}

test('a daemon pod is bound to its node by affinity, not by name', () => {
  const made = daemonPod(set(), 'a', 'h');
  assert.equal(made.spec.nodeName, undefined);
  assert.equal(nodeOf(made), 'a');
  assert.equal(made.metadata.labels?.['controller-revision-hash'], 'h');
});

const plan = (daemonSet: DaemonSet, nodes: Node[], pods: Pod[]) => {
  const { create, remove } = planDaemons({ daemonSet, nodes, pods, hash: 'new', now: NOW });
  return `+${create.join(',')} -${remove.map(({ metadata }) => metadata.name).join(',')}`;
};

for (const [why, nodes, pods, expected] of [
  ['every node gets a pod', [node('a'), node('b')], [pod('b')], '+a -'],
  [
    'of two pods on a node the older stays',
    [node('a')],
    [pod('a', { name: 'younger-pod' }), pod('a', { name: 'old' })],
    '+ -younger-pod',
  ],
  ['a failed pod makes room', [node('a')], [pod('a', { phase: 'Failed' })], '+ -ds-a'],
  ['a pod that is going is waited for', [node('a')], [pod('a', { terminating: true })], '+ -'],
  ['a pod of a node that is gone goes too', [], [pod('a')], '+ -ds-a'],
  ['no pod stays where none belongs', [node('a', taint('NoExecute'))], [pod('a')], '+ -ds-a'],
  ['one that is there may stay', [node('a', taint('NoSchedule'))], [pod('a')], '+ -'],
] as const) {
  test(why, () => {
    assert.equal(plan(set(), [...nodes], [...pods]), expected);
  });
}

const three = [node('a'), node('b'), node('c')];
for (const [why, spec, pods, expected] of [
  [
    'an update takes one node at a time',
    {},
    [pod('a', { hash: 'old' }), pod('b', { hash: 'old' }), pod('c')],
    '+ -ds-a',
  ],
  [
    'and waits while one is not available',
    {},
    [pod('a', { hash: 'old' }), pod('b', { ready: false }), pod('c')],
    '+ -',
  ],
  [
    'old pods that are not available go at once',
    {},
    [pod('a', { hash: 'old', ready: false }), pod('b', { hash: 'old', ready: false }), pod('c')],
    '+ -ds-a,ds-b',
  ],
  [
    'OnDelete leaves it to people',
    { updateStrategy: { type: 'OnDelete' } },
    [pod('a', { hash: 'old' }), pod('b'), pod('c')],
    '+ -',
  ],
  [
    'maxUnavailable may be a share',
    { updateStrategy: { rollingUpdate: { maxUnavailable: '50%' } } },
    three.map(({ metadata }) => pod(metadata.name, { hash: 'old' })),
    '+ -ds-a,ds-b',
  ],
] as const) {
  test(why, () => {
    assert.equal(plan(set({}, spec), three, [...pods]), expected);
  });
}

test('the status tells wanted, present, misplaced, ready and updated pods apart', () => {
  const pods = [pod('a'), pod('b', { hash: 'old', ready: false }), pod('d')];
  const nodes = [...three, node('d', taint('NoExecute'))];
  assert.deepEqual(daemonStatus({ daemonSet: set(), nodes, pods, hash: 'new', now: NOW }), {
    currentNumberScheduled: 2,
    desiredNumberScheduled: 3,
    numberMisscheduled: 1,
    numberReady: 1,
    numberAvailable: 1,
    numberUnavailable: 2,
    updatedNumberScheduled: 1,
    observedGeneration: 1,
  });
});

test('an update never makes more nodes unavailable than allowed', () => {
  const shape = fc.record({ hash: fc.constantFrom('new', 'old'), ready: fc.boolean() });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (shapes, maxUnavailable) => {
      const nodes = shapes.map((_, at) => node(`n${String(at)}`));
      const pods = shapes.map((each, at) => pod(`n${String(at)}`, each));
      const daemonSet = set({}, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } } });
      const { remove } = planDaemons({ daemonSet, nodes, pods, hash: 'new', now: NOW });
      const isUp = (each: Pod) => each.status?.conditions?.[0]?.status === 'True';
      const before = pods.filter((each) => !isUp(each)).length;
      const after = before + remove.filter(isUp).length;
      assert.ok(after <= Math.max(before, maxUnavailable));
      assert.ok(remove.every((each) => each.metadata.labels?.['controller-revision-hash'] === 'old'));
    }),
  );
});
