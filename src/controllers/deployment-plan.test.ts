import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../api/types.ts';
import { planRollout, type RolloutPlan } from './deployment-plan.ts';
import { maxSurge, maxUnavailable } from './deployment-size.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

function deployment(spec: Partial<Deployment['spec']> = {}, image = 'v1'): Deployment {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'd', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

const rolling = (surge: number | string, unavailable: number | string) => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
});

/** A cluster of one Deployment in which pods come and go only when the test says so. */
class World {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  events: string[] = [];
  now = NOW;
  #serial = 0;

  constructor(first: Deployment) {
    this.deployment = first;
  }

  step(): RolloutPlan {
    const plan = planRollout({
      deployment: this.deployment,
      replicaSets: this.replicaSets,
      podsOf: () => [],
      now: this.now,
    });
    if (plan.create) this.#store(plan.create.replicaSet);
    for (const { replicaSet } of plan.update) this.#store(replicaSet);
    this.replicaSets = this.replicaSets.filter(
      (each) => !plan.remove.some((gone) => gone.metadata.name === each.metadata.name),
    );
    this.events.push(
      ...[...(plan.create ? [plan.create] : []), ...plan.update].flatMap(({ message }) => message ?? []),
    );
    const annotations = { ...this.deployment.metadata.annotations };
    if (plan.revision !== undefined) annotations['deployment.kubernetes.io/revision'] = plan.revision;
    this.deployment = {
      ...this.deployment,
      metadata: { ...this.deployment.metadata, annotations },
      status: plan.status,
    };
    return plan;
  }

  #store(replicaSet: ReplicaSet): void {
    const at = this.replicaSets.findIndex(({ metadata }) => metadata.name === replicaSet.metadata.name);
    const created = {
      ...replicaSet,
      metadata: {
        ...replicaSet.metadata,
        uid: replicaSet.metadata.name,
        creationTimestamp: new Date(NOW + ++this.#serial * 1000).toISOString(),
      },
    };
    if (at < 0) this.replicaSets.push(created);
    else this.replicaSets[at] = replicaSet;
  }

  /** The ReplicaSet controller and the kubelets: pods follow the asked-for size, `ready` of them are available. */
  settle(ready: (replicaSet: ReplicaSet) => number = ({ spec }) => spec.replicas ?? 0): void {
    this.replicaSets = this.replicaSets.map((each) => {
      const available = Math.min(each.spec.replicas ?? 0, ready(each));
      const status = { replicas: each.spec.replicas ?? 0, readyReplicas: available, availableReplicas: available };
      return { ...each, status };
    });
  }

  /** Until nothing changes any more. */
  finish(): void {
    for (let round = 0; round < 100; round++) {
      const plan = this.step();
      this.settle();
      if (!plan.create && plan.update.length === 0 && plan.remove.length === 0 && round > 2) return;
    }
    assert.fail('the rollout does not end');
  }

  change(spec: Partial<Deployment['spec']>): void {
    const { metadata } = this.deployment;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...this.deployment.spec, ...spec },
    };
  }

  setImage(image: string): void {
    this.change({ template: deployment({}, image).spec.template });
  }

  get sizes(): string {
    return this.replicaSets.map((each) => `${imageOf(each)}=${String(each.spec.replicas)}`).join(' ');
  }
  get revisions(): string {
    return this.replicaSets
      .map(
        ({ metadata }) =>
          `${metadata.annotations?.['deployment.kubernetes.io/revision'] ?? ''}(${metadata.annotations?.['deployment.kubernetes.io/revision-history'] ?? ''})`,
      )
      .join(' ');
  }
  condition(type: string): string {
    const found = this.deployment.status?.conditions?.find((each) => each.type === type);
    return `${found?.status ?? ''} ${found?.reason ?? ''}`;
  }
}

const imageOf = (replicaSet: ReplicaSet) => replicaSet.spec.template?.spec?.containers[0]?.image ?? '';

test('a new Deployment gets one ReplicaSet of full size, labelled with the hash of its template', () => {
  const world = new World(deployment());
  const plan = world.step();
  const created = plan.create?.replicaSet;
  const hash = created?.metadata.labels?.['pod-template-hash'] ?? '';
  assert.match(hash, /^[a-z0-9]+$/);
  assert.equal(created?.metadata.name, `web-${hash}`);
  assert.equal(created.spec.selector.matchLabels?.['pod-template-hash'], hash);
  assert.equal(created.spec.template?.metadata?.labels?.['pod-template-hash'], hash);
  assert.equal(created.spec.replicas, 3);
  assert.deepEqual(world.events, [`Scaled up replica set web-${hash} from 0 to 3`]);
  assert.equal(plan.revision, '1');
  assert.equal(world.condition('Progressing'), 'True NewReplicaSetCreated');
  assert.equal(world.condition('Available'), 'False MinimumReplicasUnavailable');
});

test('the status is complete once all pods are available', () => {
  const world = new World(deployment());
  world.finish();
  const { conditions: _, ...counts } = world.deployment.status ?? {};
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
  });
  assert.equal(world.condition('Progressing'), 'True NewReplicaSetAvailable');
  assert.equal(world.condition('Available'), 'True MinimumReplicasAvailable');
});

test('a rolling update goes up by maxSurge first, then trades old pods for new available ones', () => {
  const world = new World(deployment(rolling(1, 0)));
  world.finish();
  world.setImage('v2');
  const seen: string[] = [];
  for (let round = 0; round < 8; round++) {
    world.step();
    seen.push(world.sizes);
    world.settle();
  }
  assert.deepEqual([...new Set(seen)], ['v1=3 v2=1', 'v1=2 v2=1', 'v1=2 v2=2', 'v1=1 v2=2', 'v1=1 v2=3', 'v1=0 v2=3']);
});

test('old pods that are not available go first, before any new one is', () => {
  const world = new World(deployment({ ...rolling(0, 1), replicas: 3 }));
  world.finish();
  world.settle(() => 1);
  world.setImage('v2');
  world.step();
  assert.equal(world.sizes, 'v1=2 v2=0');
});

test('going back to a former template takes up its ReplicaSet as the newest revision', () => {
  const world = new World(deployment());
  world.finish();
  world.setImage('v2');
  world.finish();
  assert.equal(world.revisions, '1() 2()');
  world.setImage('v1');
  world.finish();
  assert.equal(world.sizes, 'v1=3 v2=0');
  assert.equal(world.revisions, '3(1) 2()');
  assert.equal(world.deployment.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
});

test('the change cause of the Deployment goes to the ReplicaSet, the applied configuration does not', () => {
  const first = deployment();
  first.metadata.annotations = {
    'kubernetes.io/change-cause': 'why',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
  };
  const annotations = new World(first).step().create?.replicaSet.metadata.annotations;
  assert.deepEqual(annotations, {
    'kubernetes.io/change-cause': 'why',
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
});

test('only as many old ReplicaSets are kept as revisionHistoryLimit says', () => {
  const world = new World(deployment({ revisionHistoryLimit: 1 }));
  for (const image of ['v1', 'v2', 'v3', 'v4']) {
    world.setImage(image);
    world.finish();
  }
  assert.equal(world.sizes, 'v3=0 v4=3');
});

test('Recreate waits until the last old pod is gone', () => {
  const world = new World(deployment({ strategy: { type: 'Recreate' } }));
  world.finish();
  world.setImage('v2');
  world.step();
  assert.equal(world.sizes, 'v1=0');
  const terminating = { metadata: { name: 'p', deletionTimestamp: 'now' }, spec: { containers: [] } };
  const input = { deployment: world.deployment, replicaSets: world.replicaSets, now: NOW };
  assert.equal(planRollout({ ...input, podsOf: () => [terminating] }).create, undefined);
  world.finish();
  assert.equal(world.sizes, 'v1=0 v2=3');
});

test('a paused Deployment starts no new revision but does take a new size', () => {
  const world = new World(deployment());
  world.finish();
  world.change({ paused: true, replicas: 5, template: deployment({}, 'v2').spec.template });
  world.finish();
  assert.equal(world.sizes, 'v1=5');
  assert.equal(world.condition('Progressing'), 'Unknown DeploymentPaused');
  world.change({ paused: false });
  world.finish();
  assert.equal(world.sizes, 'v1=0 v2=5');
  assert.equal(world.condition('Progressing'), 'True NewReplicaSetAvailable');
});

test('a new size in the middle of a rollout is shared in proportion', () => {
  const world = new World(deployment({ ...rolling(3, 2), replicas: 10 }));
  world.finish();
  world.setImage('v2');
  world.step();
  assert.equal(world.sizes, 'v1=8 v2=3');
  world.settle((each) => (imageOf(each) === 'v1' ? 8 : 0));
  world.step();
  assert.equal(world.sizes, 'v1=8 v2=5');
  world.change({ replicas: 15 });
  world.step();
  assert.equal(world.sizes, 'v1=11 v2=7');
});

test('scaling a Deployment at rest resizes its one ReplicaSet', () => {
  const world = new World(deployment());
  world.finish();
  for (const replicas of [7, 0, 2]) {
    world.change({ replicas });
    world.finish();
    assert.equal(world.sizes, `v1=${String(replicas)}`);
  }
});

test('a rollout that stands still past its deadline says so, and recovers', () => {
  const world = new World(deployment({ progressDeadlineSeconds: 10 }));
  const plan = world.step();
  assert.equal(plan.checkIn, 11_000);
  world.settle(() => 0);
  world.now += 5000;
  world.step();
  world.now += 11_000;
  world.step();
  assert.equal(world.condition('Progressing'), 'False ProgressDeadlineExceeded');
  world.finish();
  assert.equal(world.condition('Progressing'), 'True NewReplicaSetAvailable');
});

test('a step repeated without any change in between plans nothing', () => {
  const world = new World(deployment());
  world.finish();
  const plan = world.step();
  assert.deepEqual([plan.create, plan.update, plan.remove, plan.revision], [undefined, [], [], undefined]);
  assert.deepEqual(plan.status, world.deployment.status);
});

const share = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 100 }).map((n) => `${String(n)}%`),
);

test('a rolling update never exceeds maxSurge, never falls below maxUnavailable, and always ends', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20 }),
      share,
      share,
      fc.array(fc.oneof(fc.constantFrom('v1', 'v2', 'v3'), fc.double({ min: 0, max: 1, noNaN: true })), {
        maxLength: 25,
      }),
      (replicas, surge, unavailable, script) => {
        const world = new World(deployment({ replicas, ...rolling(surge, unavailable) }));
        world.finish();
        const most = replicas + maxSurge(world.deployment);
        const least = replicas - maxUnavailable(world.deployment);
        for (const move of script) {
          if (typeof move === 'string') world.setImage(move);
          world.step();
          const asked = world.replicaSets.reduce((total, { spec }) => total + (spec.replicas ?? 0), 0);
          // Pods that were available and are still asked for: what clients can reach while the step is carried out.
          const reachable = world.replicaSets.reduce(
            (total, { spec, status }) => total + Math.min(spec.replicas ?? 0, status?.availableReplicas ?? 0),
            0,
          );
          assert.ok(asked <= most, `${world.sizes}: more than ${String(most)}`);
          assert.ok(reachable >= least, `${world.sizes}: fewer than ${String(least)} available`);
          const progress = typeof move === 'number' ? move : 0;
          world.settle(({ spec, status }) => {
            const before = Math.min(status?.availableReplicas ?? 0, spec.replicas ?? 0);
            return before + Math.floor(((spec.replicas ?? 0) - before) * progress);
          });
        }
        world.finish();
        const total = world.replicaSets.filter(({ spec }) => (spec.replicas ?? 0) > 0);
        assert.equal(total.length, replicas === 0 ? 0 : 1);
        assert.equal(world.condition('Progressing'), 'True NewReplicaSetAvailable');
      },
    ),
    { numRuns: 300 },
  );
});
