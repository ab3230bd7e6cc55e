import assert from 'node:assert/strict';
import test from 'node:test';
import {
  DAEMON_SETS,
  DEPLOYMENTS,
  EVENTS,
  JOBS,
  NODES,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
  type Kind,
} from '../api/kinds.ts';
import type { Deployment, Job, KubeObject, Pod, ReplicaSet } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { silentLog } from '../lib/log.ts';
import { cronJobController } from './cron-job.ts';
import { daemonSetController } from './daemon-set.ts';
import { deploymentController } from './deployment.ts';
import { planRollout } from './deployment-plan.ts';
import { startFakeKubelet, type FakeKubeletOptions } from './fake-kubelet.ts';
import { jobController } from './job.ts';
import { TRACKING } from './job-pod.ts';
import { startControllers } from './loop.ts';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';
import { statefulSetController } from './stateful-set.ts';

interface World {
  readonly client: FakeClient;
  /** Waits until the objects of a kind are as `isSo` says, and returns them. */
  until<T extends KubeObject>(kind: Kind<T>, isSo: (objects: T[]) => boolean): Promise<T[]>;
}

async function inWorld(options: FakeKubeletOptions, run: (world: World) => Promise<void>): Promise<void> {
  const client = new FakeClient();
  const controllers = startControllers(
    [
      replicaSetController(),
      replicationControllerController(),
      deploymentController(),
      daemonSetController(),
      statefulSetController(),
      jobController(),
      cronJobController(),
    ],
    { client, log: silentLog },
  );
  const kubelet = startFakeKubelet(client, options);
  await controllers.started;
  try {
    await run({ client, until: (kind, isSo) => until(client, kind, isSo) });
  } finally {
    await kubelet.stop();
    await controllers.stop();
  }
}

async function until<T extends KubeObject>(
  client: FakeClient,
  kind: Kind<T>,
  isSo: (objects: T[]) => boolean,
): Promise<T[]> {
  const objects = new Map<string, T>();
  const give = new AbortController();
  const timer = setTimeout(() => {
    give.abort();
  }, 10_000);
  try {
    for await (const { type, object } of client.watch(kind, { signal: give.signal })) {
      if (type === 'BOOKMARK') continue;
      if (type === 'DELETED') objects.delete(object.metadata.name);
      else objects.set(object.metadata.name, object);
      if (isSo([...objects.values()])) return [...objects.values()];
    }
  } finally {
    clearTimeout(timer);
  }
  assert.fail(`waited in vain; there is ${JSON.stringify([...objects.values()], undefined, 1)}`);
}

const template = (image = 'v1') => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});
const selector = { matchLabels: { app: 'web' } };
const metadata = { name: 'web', namespace: 'default' };

const replicaSet = (replicas: number): ReplicaSet => ({ metadata, spec: { replicas, selector, template: template() } });
const deployment = (replicas = 3): Deployment => ({
  metadata,
  spec: { replicas, selector, template: template(), progressDeadlineSeconds: 600, revisionHistoryLimit: 10 },
});

const created = (client: FakeClient, kind: Kind) =>
  client.actions.filter((action) => action.verb === 'create' && action.kind === kind).length;

const isDone = ([object]: Deployment[]): boolean =>
  object?.status?.observedGeneration === object?.metadata.generation &&
  object?.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason === 'NewReplicaSetAvailable' &&
  object.status.updatedReplicas === object.spec.replicas &&
  object.status.replicas === object.spec.replicas;

test('a ReplicaSet makes exactly as many pods as asked for, and fewer when asked for fewer', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(REPLICA_SETS, replicaSet(5));
    const [stored] = await until(REPLICA_SETS, ([set]) => set?.status?.availableReplicas === 5);
    assert.equal(created(client, PODS), 5);
    const { items } = await client.list(PODS);
    assert.deepEqual(items[0]?.metadata.ownerReferences, [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web',
        uid: stored?.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    assert.match(items[0].metadata.name, /^web-[a-z0-9]{5}$/);
    await client.patch(REPLICA_SETS, 'web', 'default', 'merge', { spec: { replicas: 2 } });
    await until(REPLICA_SETS, ([set]) => set?.status?.replicas === 2 && set.status.availableReplicas === 2);
    await until(PODS, (pods) => pods.length === 2);
    assert.equal(created(client, PODS), 5);
  });
});

test('a pod that is deleted is replaced once', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(REPLICA_SETS, replicaSet(3));
    await until(REPLICA_SETS, ([set]) => set?.status?.availableReplicas === 3);
    const [victim] = (await client.list(PODS)).items;
    await client.delete(PODS, victim?.metadata.name ?? '', 'default');
    await until(
      PODS,
      (pods) =>
        pods.filter((pod) => pod.status?.phase === 'Running').length === 3 &&
        !pods.some((pod) => pod.metadata.name === victim?.metadata.name),
    );
    await until(REPLICA_SETS, ([set]) => set?.status?.availableReplicas === 3);
    assert.equal(created(client, PODS), 4);
  });
});

test('an orphan that matches is adopted, one whose label is taken away is released and replaced', async () => {
  await inWorld({}, async ({ client, until }) => {
    const orphan: Pod = {
      metadata: { name: 'orphan', namespace: 'default', labels: { app: 'web' } },
      spec: { containers: [] },
    };
    await client.create(PODS, orphan);
    await client.create(REPLICA_SETS, replicaSet(2));
    await until(REPLICA_SETS, ([set]) => set?.status?.availableReplicas === 2);
    assert.equal(created(client, PODS), 2, 'the orphan and one more');
    assert.equal((await client.get(PODS, 'orphan', 'default')).metadata.ownerReferences?.[0]?.name, 'web');
    await client.patch(PODS, 'orphan', 'default', 'merge', { metadata: { labels: { app: 'other' } } });
    await until(
      PODS,
      (pods) =>
        pods.length === 3 && pods.find((pod) => pod.metadata.name === 'orphan')?.metadata.ownerReferences?.length === 0,
    );
  });
});

test('a refused create is told in an event and a condition, and tried again', async () => {
  await inWorld({}, async ({ client, until }) => {
    client.failNext('create', new Error('no room'), PODS);
    await client.create(REPLICA_SETS, replicaSet(2));
    await until(EVENTS, (events) =>
      events.some(({ reason, message }) => reason === 'FailedCreate' && message === 'Error creating: no room'),
    );
    await until(REPLICA_SETS, ([set]) => set?.status?.availableReplicas === 2 && set.status.conditions === undefined);
  });
});

test('a ReplicationController works the same, by a plain map of labels', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(REPLICATION_CONTROLLERS, {
      metadata,
      spec: { replicas: 3, selector: { app: 'web' }, template: template() },
    });
    await until(REPLICATION_CONTROLLERS, ([rc]) => rc?.status?.availableReplicas === 3);
    const { items } = await client.list(PODS);
    assert.equal(items[0]?.metadata.ownerReferences?.[0]?.apiVersion, 'v1');
    assert.equal(created(client, PODS), 3);
  });
});

test('a Deployment rolls out, rolls on, and rolls back to the ReplicaSet it had', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(DEPLOYMENTS, deployment());
    await until(DEPLOYMENTS, isDone);
    const [first] = (await client.list(REPLICA_SETS)).items;
    await client.patch(DEPLOYMENTS, 'web', 'default', 'merge', { spec: { template: template('v2') } });
    await until(DEPLOYMENTS, isDone);
    assert.deepEqual(
      (await client.list(PODS)).items.map((pod) => pod.spec.containers[0]?.image),
      ['v2', 'v2', 'v2'],
    );
    await client.patch(DEPLOYMENTS, 'web', 'default', 'merge', { spec: { template: template('v1') } });
    const [done] = await until(DEPLOYMENTS, isDone);
    assert.equal(done?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
    const sets = (await client.list(REPLICA_SETS)).items;
    assert.equal(sets.length, 2);
    const back = sets.find((set) => set.metadata.name === first?.metadata.name);
    assert.equal(back?.spec.replicas, 3);
    assert.equal(back.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
    const { items } = await client.list(EVENTS);
    const texts = items.filter(({ reason }) => reason === 'ScalingReplicaSet').map(({ message }) => message);
    assert.ok(texts.includes(`Scaled up replica set ${first?.metadata.name ?? ''} from 0 to 3`), texts.join('\n'));
  });
});

test('a name taken by another ReplicaSet makes the Deployment choose another', async () => {
  await inWorld({}, async ({ client, until }) => {
    const { create } = planRollout({ deployment: deployment(1), replicaSets: [], podsOf: () => [], now: 0 });
    const taken = { name: create?.replicaSet.metadata.name ?? '', namespace: 'default' };
    await client.create(REPLICA_SETS, {
      metadata: taken,
      spec: { replicas: 0, selector: { matchLabels: { app: 'other' } } },
    });
    await client.create(DEPLOYMENTS, deployment(1));
    const [done] = await until(DEPLOYMENTS, isDone);
    assert.equal(done?.status?.collisionCount, 1);
  });
});

test('a DaemonSet puts one pod on every node and follows nodes as they come', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(NODES, { metadata: { name: 'a' } });
    await client.create(NODES, {
      metadata: { name: 'b', labels: {} },
      spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] },
    });
    await client.create(DAEMON_SETS, { metadata, spec: { selector, template: template() } });
    await until(DAEMON_SETS, ([set]) => set?.status?.numberAvailable === 1 && set.status.desiredNumberScheduled === 1);
    await client.create(NODES, { metadata: { name: 'c' } });
    await until(DAEMON_SETS, ([set]) => set?.status?.desiredNumberScheduled === 2);
    await until(PODS, (pods) => pods.length === 2);
    await client.patch(DAEMON_SETS, 'web', 'default', 'merge', {
      metadata: { generation: 2 },
      spec: { template: template('v2') },
    });
    await until(PODS, (pods) => pods.length === 2 && pods.every((pod) => pod.spec.containers[0]?.image === 'v2'));
    assert.equal(created(client, PODS), 4);
  });
});

test('a StatefulSet makes its pods in order and updates them from the top', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(STATEFUL_SETS, {
      metadata,
      spec: { replicas: 3, serviceName: 'web', selector, template: template() },
    });
    await until(STATEFUL_SETS, ([set]) => set?.status?.availableReplicas === 3);
    const names = () =>
      client.actions.filter(({ verb, kind }) => verb === 'create' && kind === PODS).map(({ name }) => name);
    assert.deepEqual(names(), ['web-0', 'web-1', 'web-2']);
    client.actions.length = 0;
    await client.patch(STATEFUL_SETS, 'web', 'default', 'merge', { spec: { template: template('v2') } });
    await until(
      STATEFUL_SETS,
      ([set]) =>
        set?.status?.observedGeneration === set?.metadata.generation &&
        set?.status?.updatedReplicas === 3 &&
        set.status.currentRevision === set.status.updateRevision &&
        set.status.readyReplicas === 3,
    );
    assert.deepEqual(names(), ['web-2', 'web-1', 'web-0']);
  });
});

const job = (spec: Partial<Job['spec']> = {}): Job => ({
  metadata,
  spec: {
    completions: 3,
    parallelism: 2,
    backoffLimit: 0,
    template: { ...template(), spec: { containers: [], restartPolicy: 'Never' } },
    ...spec,
  },
});
const jobReason = ([object]: Job[], type: string) =>
  object?.status?.conditions?.find((condition) => condition.type === type)?.reason;

test('a Job runs to completion, counts every pod once and leaves no finalizer', async () => {
  await inWorld({ decide: () => 'succeed' }, async ({ client, until }) => {
    await client.create(JOBS, job());
    const [done] = await until(JOBS, (jobs) => jobReason(jobs, 'Complete') === 'CompletionsReached');
    assert.equal(done?.status?.succeeded, 3);
    assert.equal(created(client, PODS), 3);
    await until(PODS, (all) => all.length === 3 && all.every((pod) => !pod.metadata.finalizers?.includes(TRACKING)));
  });
});

test('a Job whose pod fails once more than allowed fails', async () => {
  await inWorld({ decide: () => 'fail' }, async ({ client, until }) => {
    await client.create(JOBS, job({ completions: 1, parallelism: 1 }));
    const [failed] = await until(JOBS, (jobs) => jobReason(jobs, 'Failed') === 'BackoffLimitExceeded');
    assert.equal(failed?.status?.failed, 1);
    assert.equal(created(client, PODS), 1);
  });
});

test('pods of a Job that is deleted lose the finalizer, so that they can go', async () => {
  await inWorld({}, async ({ client, until }) => {
    await client.create(JOBS, job());
    await until(PODS, (pods) => pods.length === 2 && pods.every((pod) => pod.status?.phase === 'Running'));
    await client.delete(JOBS, 'web', 'default');
    for (const pod of (await client.list(PODS)).items) await client.delete(PODS, pod.metadata.name, 'default');
    await until(PODS, (pods) => pods.length === 0 && client.actions.filter(({ verb }) => verb === 'delete').length > 2);
    assert.equal((await client.list(PODS)).items.length, 0);
  });
});

test('a finished Job is deleted when its time to live is over', async () => {
  await inWorld({ decide: () => 'succeed' }, async ({ client, until }) => {
    await client.create(JOBS, job({ completions: 1, ttlSecondsAfterFinished: 0 }));
    let seen = false;
    await until(JOBS, (jobs) => {
      seen ||= jobs.length > 0;
      return seen && jobs.every((each) => each.metadata.deletionTimestamp !== undefined);
    });
  });
});
