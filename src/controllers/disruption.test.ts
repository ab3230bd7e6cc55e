import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, type Kind } from '../api/kinds.ts';
import type { KubeObject, Pod, PodDisruptionBudget } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { disruptionController } from './disruption.ts';
import { DELETION_TIMEOUT, expectationOf, pendingEvictions } from './disruption-plan.ts';
import { controllerReference } from './pod-template.ts';
import { aPod, runFor, until } from './test-objects.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z');

const aBudget = (
  spec: PodDisruptionBudget['spec'],
  status?: Partial<PodDisruptionBudget['status']>,
): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default', uid: 'uid-budget', generation: 3 },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0, ...status },
});

const workload = (kind: Kind, name: string, replicas: number, owner?: [Kind, KubeObject]): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: kind.kind,
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      ...(owner && { ownerReferences: [controllerReference(...owner)] }),
    },
    spec: { replicas, selector: { matchLabels: { app: 'web' } } },
  }) as KubeObject;

const deployment = workload(DEPLOYMENTS, 'web', 4);
const replicaSet = workload(REPLICA_SETS, 'web-1', 2, [DEPLOYMENTS, deployment]);
const ownedPod = (name: string, fields: { ready?: boolean; deleting?: boolean } = {}, owner = replicaSet): Pod => {
  const pod = aPod({ name, ...fields });
  return { ...pod, metadata: { ...pod.metadata, ownerReferences: [controllerReference(REPLICA_SETS, owner)] } };
};

describe('what a budget asks for, out of 3 Pods of a workload of 5', () => {
  const rows: [NonNullable<PodDisruptionBudget['spec']>, number, number][] = [
    [{ minAvailable: 2 }, 3, 2],
    [{}, 3, 0],
    [{ minAvailable: '50%' }, 5, 3],
    [{ maxUnavailable: 1 }, 5, 4],
    [{ maxUnavailable: '30%' }, 5, 3],
    [{ maxUnavailable: 9 }, 5, 0],
  ];
  for (const [spec, expectedPods, desiredHealthy] of rows) {
    test(JSON.stringify(spec), () => {
      assert.deepEqual(expectationOf(aBudget(spec), 3, 5), { expectedPods, desiredHealthy });
    });
  }
});

test('an eviction that was granted counts until its Pod goes, or for two minutes', () => {
  const ago = (ms: number) => new Date(NOW - ms).toISOString();
  const disruptedPods = { a: ago(1000), b: ago(DELETION_TIMEOUT), c: ago(1000), gone: ago(1000) };
  const pods = [aPod({ name: 'a' }), aPod({ name: 'b' }), aPod({ name: 'c', deleting: true }), aPod({ name: 'd' })];
  assert.deepEqual(pendingEvictions(aBudget({}, { disruptedPods }), pods, NOW), {
    disrupted: { a: disruptedPods.a },
    overdue: ['b'],
    nextAt: NOW - 1000 + DELETION_TIMEOUT,
  });
});

/** Runs the controller until the budget's status satisfies `check`. */
const settled = async (client: FakeClient, check: (status: NonNullable<PodDisruptionBudget['status']>) => boolean) => {
  const [budget] = await until(client, POD_DISRUPTION_BUDGETS, (all) =>
    all.some(({ status }) => status?.observedGeneration === 3 && check(status)),
  );
  return budget?.status;
};

test('a Pod that turns ready may be spared, one that goes may not', async (t) => {
  const clock = new FakeClock(NOW);
  const client = new FakeClient(
    [
      aBudget({ minAvailable: 1 }),
      aPod({ name: 'a' }),
      aPod({ name: 'b', ready: false }),
      aPod({ name: 'c', labels: {} }),
    ],
    clock,
  );
  runFor(t, client, [disruptionController], clock);
  const first = await settled(client, () => true);
  assert.deepEqual(first, {
    currentHealthy: 1,
    desiredHealthy: 1,
    disruptionsAllowed: 0,
    expectedPods: 2,
    observedGeneration: 3,
    conditions: [
      {
        type: 'DisruptionAllowed',
        status: 'False',
        reason: 'InsufficientPods',
        message: '',
        lastTransitionTime: '2026-11-28T12:00:00Z',
        observedGeneration: 3,
      },
    ],
  });
  await client.update(PODS, aPod({ name: 'b' }), { subresource: 'status' });
  const second = await settled(client, ({ disruptionsAllowed }) => disruptionsAllowed === 1);
  assert.deepEqual([second?.currentHealthy, second?.conditions?.[0]?.reason], [2, 'SufficientPods']);
  await client.delete(PODS, 'a', 'default');
  await settled(client, ({ disruptionsAllowed }) => disruptionsAllowed === 0);
});

test('a share is one of what the Deployment asks for, and follows it', async (t) => {
  const client = new FakeClient([
    deployment,
    replicaSet,
    aBudget({ maxUnavailable: '50%' }),
    ...['a', 'b', 'c', 'd'].map((name) => ownedPod(name)),
  ]);
  runFor(t, client, [disruptionController]);
  const status = await settled(client, ({ disruptionsAllowed }) => disruptionsAllowed === 2);
  assert.deepEqual([status?.expectedPods, status?.desiredHealthy, status?.currentHealthy], [4, 2, 4]);
  await client.patch(DEPLOYMENTS, 'web', 'default', 'merge', { spec: { replicas: 6 } });
  await settled(client, ({ disruptionsAllowed, expectedPods }) => disruptionsAllowed === 1 && expectedPods === 6);
});

test('nothing may be disrupted while it is not known what is wanted', async (t) => {
  const client = new FakeClient([aBudget({ maxUnavailable: 1 }, { disruptionsAllowed: 1 }), ownedPod('a')]);
  runFor(t, client, [disruptionController]);
  const status = await settled(client, ({ disruptionsAllowed }) => disruptionsAllowed === 0);
  const { reason, message } = status?.conditions?.[0] ?? {};
  assert.deepEqual([reason, message], ['SyncFailed', 'found no controllers for pod "a"']);
});
