import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Core, Pod } from '../api/types.ts';
import { testPod } from './fake-parts.ts';
import { qosClassOf, linuxResources } from './qos.ts';
import type { RuntimeContainer, RuntimePod } from './runtime-view.ts';
import { statusPatch } from './status-writer.ts';
import { computeStatus } from './status.ts';
import type { StatusInput } from './status.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const metadata = { name: 'a', namespace: 'default', uid: 'uid-a', attempt: 0 };
const ready = {
  id: 's',
  metadata,
  state: 'READY',
  createdAt: 0,
  labels: {},
  annotations: {},
  ips: ['10.244.0.5', 'fd00::5'],
} as const;

function container(name: string, change: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    ...{ id: `id-${name}`, sandboxId: 's', metadata: { name, attempt: 0 }, image: 'web:1', imageRef: 'sha256:web' },
    ...{
      state: 'RUNNING',
      createdAt: NOW,
      startedAt: NOW,
      finishedAt: 0,
      exitCode: 0,
      reason: '',
      message: '',
      logPath: '',
    },
    ...{ labels: {}, annotations: {}, mounts: [] },
    ...change,
  };
}

function compute(containers: RuntimeContainer[], pod: Pod = testPod('a'), change: Partial<StatusInput> = {}) {
  const runtime: RuntimePod = {
    uid: 'uid-a',
    name: 'a',
    namespace: 'default',
    sandboxes: [{ ...ready, ips: [...ready.ips] }],
    containers,
  };
  return computeStatus({
    ...{ pod, runtime, nodeIPs: ['172.30.0.11'], now: NOW, failure: undefined, ended: false },
    ...{ waiting: new Map(), backingOff: new Map() },
    probes: () => ({ startup: 'success', readiness: 'success' }),
    ...change,
  });
}

const brief = (status: Core.PodStatus) =>
  (status.conditions ?? []).map(
    ({ type, status: value, reason }) => `${type}=${value}${reason === undefined ? '' : ` ${reason}`}`,
  );

test('a running pod: addresses, phase and the five conditions', () => {
  const status = compute([container('web')]);
  assert.deepEqual(brief(status), [
    'PodReadyToStartContainers=True',
    'Initialized=True',
    'Ready=True',
    'ContainersReady=True',
    'PodScheduled=True',
  ]);
  assert.equal(status.phase, 'Running');
  assert.deepEqual(
    [status.podIP, status.podIPs, status.hostIP, status.hostIPs],
    ['10.244.0.5', [{ ip: '10.244.0.5' }, { ip: 'fd00::5' }], '172.30.0.11', [{ ip: '172.30.0.11' }]],
  );
  assert.equal(status.startTime, '2026-01-01T00:01:00Z');
});

test('a condition keeps its time while its status stays', () => {
  const conditions = [
    { type: 'Ready', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' },
    { type: 'ContainersReady', status: 'False', lastTransitionTime: '2025-01-01T00:00:00Z' },
  ];
  const status = compute([container('web')], { ...testPod('a'), status: { conditions } });
  const at = (type: string) => status.conditions?.find((one) => one.type === type)?.lastTransitionTime;
  assert.deepEqual([at('Ready'), at('ContainersReady')], ['2025-01-01T00:00:00Z', '2026-01-01T00:01:00Z']);
});

const exit = (exitCode: number) => container('web', { state: 'EXITED', exitCode, finishedAt: NOW });
const phases: [what: string, containers: RuntimeContainer[], policy: string, ended: boolean, phase: string][] = [
  ['nothing started', [], 'Always', false, 'Pending'],
  ['running', [container('web')], 'Always', false, 'Running'],
  ['ended, will restart', [exit(1)], 'Always', false, 'Running'],
  ['ended well for good', [exit(0)], 'Never', true, 'Succeeded'],
  ['ended badly for good', [exit(1)], 'Never', true, 'Failed'],
  ['deleted while running', [exit(0)], 'Always', true, 'Succeeded'],
  ['deleted, killed', [exit(137)], 'Always', true, 'Failed'],
];
for (const [what, containers, restartPolicy, ended, phase] of phases) {
  test(`phase of a pod: ${what}`, () => {
    assert.equal(compute(containers, testPod('a', { restartPolicy }), { ended }).phase, phase);
  });
}

test('a terminal phase never changes back', () => {
  assert.equal(compute([container('web')], { ...testPod('a'), status: { phase: 'Failed' } }).phase, 'Failed');
});

test('waiting reasons: creating, initialising, the error of a start, CrashLoopBackOff', () => {
  const waiting = (status: Core.PodStatus) => status.containerStatuses?.[0]?.state?.waiting;
  assert.deepEqual(waiting(compute([])), { reason: 'ContainerCreating' });
  const initContainers = [{ name: 'init', image: 'web:1' }];
  assert.deepEqual(waiting(compute([], testPod('a', { initContainers }))), { reason: 'PodInitializing' });
  const error = { reason: 'ErrImagePull', message: 'not found' };
  assert.deepEqual(waiting(compute([], testPod('a'), { waiting: new Map([['web', error]]) })), error);
  const crashing = compute([exit(1)], testPod('a'), { backingOff: new Map([['web', 20_000]]) });
  assert.deepEqual(waiting(crashing), {
    reason: 'CrashLoopBackOff',
    message: 'back-off 20s restarting failed container=web pod=a_default(uid-a)',
  });
  assert.equal(crashing.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 1);
});

test('readiness: not before the startup probe has passed', () => {
  const pod = testPod('a', { containers: [{ name: 'web', image: 'web:1', startupProbe: {}, readinessProbe: {} }] });
  const rows = [
    ['unknown', 'failure', false, false],
    ['success', 'failure', true, false],
    ['success', 'success', true, true],
  ] as const;
  for (const [startup, readiness, started, isReady] of rows) {
    const [status] =
      compute([container('web')], pod, { probes: () => ({ startup, readiness }) }).containerStatuses ?? [];
    assert.deepEqual([status?.started, status?.ready], [started, isReady]);
  }
});

test('an ended pod keeps the address it had', () => {
  const runtime: RuntimePod = { uid: 'uid-a', name: 'a', namespace: 'default', sandboxes: [], containers: [] };
  const pod = { ...testPod('a'), status: { phase: 'Succeeded', podIP: '10.244.0.9', podIPs: [{ ip: '10.244.0.9' }] } };
  assert.equal(compute([], pod, { runtime }).podIP, '10.244.0.9');
});

test('hostNetwork pods have the node’s address', () => {
  assert.equal(compute([container('web')], testPod('a', { hostNetwork: true })).podIP, '172.30.0.11');
});

test('statusPatch: only what differs, conditions of others kept and guarded, nothing where all is equal', () => {
  const gate = { type: 'example.com/gate', status: 'True' };
  const own = { type: 'Ready', status: 'True' };
  const known: Pod = {
    ...testPod('a'),
    status: { phase: 'Running', reason: 'Old', conditions: [{ ...own, status: 'False' }, gate] },
  };
  known.metadata = { ...known.metadata, resourceVersion: '7' };
  assert.deepEqual(statusPatch(known, { phase: 'Running', conditions: [own] }), {
    metadata: { uid: 'uid-a', resourceVersion: '7' },
    status: { conditions: [own, gate], reason: null },
  });
  assert.equal(
    statusPatch({ ...known, status: { phase: 'Running', conditions: [own] } }, { phase: 'Running', conditions: [own] }),
    undefined,
  );
});

test('quality of service and what the kernel is told', () => {
  const pod = (resources: Core.ResourceRequirements) =>
    testPod('a', { containers: [{ name: 'web', image: 'web:1', resources }] });
  const rows: [Core.ResourceRequirements, string, number, number, number, number][] = [
    [{}, 'BestEffort', 2, 0, 0, 1000],
    [{ limits: { cpu: '500m', memory: '128Mi' } }, 'Guaranteed', 512, 50_000, 2 ** 27, -997],
    [{ requests: { cpu: '1', memory: '512Mi' } }, 'Burstable', 1024, 0, 0, 500],
    [{ requests: { cpu: '100m' }, limits: { cpu: '1', memory: '1Gi' } }, 'Burstable', 102, 100_000, 2 ** 30, 999],
  ];
  for (const [resources, qos, shares, quota, memory, score] of rows) {
    const one = pod(resources);
    const found = linuxResources(one, one.spec.containers[0]!, 2 ** 30);
    assert.deepEqual(
      [qosClassOf(one), found.cpuShares, found.cpuQuota, found.memoryLimitInBytes, found.oomScoreAdj],
      [qos, shares, quota, memory, score],
    );
  }
});

test('an ephemeral container is told of apart, is never ready and makes no pod unready', () => {
  const pod = testPod('a', { ephemeralContainers: [{ name: 'debug', image: 'busybox:1' }, { name: 'later' }] });
  const status = compute([container('web'), container('debug', { state: 'EXITED', exitCode: 3 })], pod);
  assert.equal(status.phase, 'Running');
  assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  const [debug, later] = status.ephemeralContainerStatuses ?? [];
  assert.deepEqual([debug?.state?.terminated?.exitCode, debug?.ready], [3, false]);
  assert.equal(later?.state?.waiting?.reason, 'ContainerCreating');
  assert.equal(status.containerStatuses?.length, 1);
});
