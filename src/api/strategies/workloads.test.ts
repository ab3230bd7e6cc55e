import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  REPLICATION_CONTROLLERS,
  REPLICA_SETS,
  STATEFUL_SETS,
  type Kind,
} from '../kinds.ts';
import { create, stored, testUid, update } from '../testing.ts';

const template = 'template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: x}]}}';
const selector = 'selector: {matchLabels: {app: web}}';
const good = `${selector}, ${template}`;
const mismatch = (labels: string) =>
  `spec.template.metadata.labels: Invalid value: ${labels}: \`selector\` does not match template \`labels\``;

const refused: [kind: Kind, why: string, yaml: string, errors: string[]][] = [
  [DEPLOYMENTS, 'nothing', 'spec: {}', ['spec.selector: Required value', 'spec.template: Required value']],
  [
    DEPLOYMENTS,
    'a selector that does not fit',
    `spec: {selector: {matchLabels: {app: db}}, ${template}}`,
    [mismatch('{"app":"web"}')],
  ],
  [
    DEPLOYMENTS,
    'an empty selector',
    `spec: {selector: {}, ${template}}`,
    ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
  ],
  [
    DEPLOYMENTS,
    'negative replicas',
    `spec: {replicas: -1, ${good}}`,
    ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    DEPLOYMENTS,
    'no room to roll',
    `spec: {strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0}}, ${good}}`,
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
  ],
  [
    DEPLOYMENTS,
    'a bad percentage',
    `spec: {strategy: {rollingUpdate: {maxUnavailable: "half"}}, ${good}}`,
    [
      `spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "half": a valid percent string must be a numeric followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
    ],
  ],
  [
    DEPLOYMENTS,
    'Recreate with parameters',
    `spec: {strategy: {type: Recreate, rollingUpdate: {}}, ${good}}`,
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    DEPLOYMENTS,
    'a deadline shorter than the wait',
    `spec: {progressDeadlineSeconds: 5, minReadySeconds: 5, ${good}}`,
    ['spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds'],
  ],
  [
    DEPLOYMENTS,
    'Pods that do not restart',
    'spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}',
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    REPLICA_SETS,
    'a selector that does not fit',
    `spec: {selector: {matchLabels: {app: db}}, ${template}}`,
    [mismatch('{"app":"web"}')],
  ],
  [REPLICATION_CONTROLLERS, 'nothing', 'spec: {}', ['spec.selector: Required value', 'spec.template: Required value']],
  [
    REPLICATION_CONTROLLERS,
    'a selector that does not fit',
    `spec: {selector: {app: db}, ${template}}`,
    [mismatch('{"app":"web"}')],
  ],
  [
    DAEMON_SETS,
    'no room to roll',
    `spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0}}, ${good}}`,
    ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
  ],
  [
    STATEFUL_SETS,
    'an unknown pod management policy',
    `spec: {podManagementPolicy: Any, ${good}}`,
    ['spec.podManagementPolicy: Unsupported value: "Any": supported values: "OrderedReady", "Parallel"'],
  ],
  [
    JOBS,
    'Pods that always restart',
    `spec: {${template}}`,
    ['spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "Never", "OnFailure"'],
  ],
  [
    CRON_JOBS,
    'a schedule of four fields',
    `spec: {schedule: "* * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}}}`,
    ['spec.schedule: Invalid value: "* * * *": must be five fields or one of the @ forms'],
  ],
];
for (const [kind, why, yaml, errors] of refused) {
  test(`a ${kind.kind} with ${why} is refused`, () => {
    assert.deepEqual(create(kind, yaml).errors, errors);
  });
}

const schedules: [text: string, valid: boolean][] = [
  ['*/5 * * * *', true],
  ['0 0 1-15/2 jan,feb mon-fri', true],
  ['@daily', true],
  ['@every 1h30m', true],
  ['60 * * * *', false],
  ['* * 0 * *', false],
  ['5-1 * * * *', false],
  ['*/0 * * * *', false],
  ['@sometimes', false],
];
for (const [text, valid] of schedules) {
  test(`the schedule "${text}" is ${valid ? 'taken' : 'refused'}`, () => {
    const { errors } = create(
      CRON_JOBS,
      `spec: {schedule: "${text}", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}}}`,
    );
    assert.equal(errors.length, valid ? 0 : 1);
  });
}

test('defaults fill a Deployment', () => {
  const { object } = create(DEPLOYMENTS, `spec: {${good}}`);
  const { template: _template, selector: _selector, ...rest } = object.spec;
  assert.deepEqual(rest, {
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  assert.equal(object.spec.template.spec?.restartPolicy, 'Always');
  assert.equal(object.metadata.generation, 1);
});

test('a ReplicationController takes selector and labels from its template', () => {
  const { object, errors } = create(REPLICATION_CONTROLLERS, `spec: {${template}}`);
  assert.deepEqual(errors, []);
  assert.deepEqual(
    [object.spec.selector, object.metadata.labels, object.spec.replicas],
    [{ app: 'web' }, { app: 'web' }, 1],
  );
});

test('a Job selects its own Pods by its uid', () => {
  const { object, errors } = create(
    JOBS,
    'spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(object.spec.selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': testUid } });
  assert.equal(object.spec.template.metadata?.labels?.['job-name'], 'it');
  assert.deepEqual([object.spec.completions, object.spec.parallelism, object.spec.backoffLimit], [1, 1, 6]);
});

test('generation grows with the spec, not with labels and not with status', () => {
  const old = stored(DEPLOYMENTS, `spec: {${good}}`);
  const scaled = update(DEPLOYMENTS, old, ({ spec }) => {
    spec.replicas = 5;
  });
  assert.deepEqual([scaled.errors, scaled.object.metadata.generation], [[], 2]);
  const labelled = update(DEPLOYMENTS, old, ({ metadata }) => {
    metadata.labels = { a: 'b' };
  });
  assert.equal(labelled.object.metadata.generation, 1);
  const reported = update(DEPLOYMENTS, old, (deployment) => {
    deployment.status = { replicas: 9 };
  });
  assert.deepEqual([reported.object.metadata.generation, reported.object.status], [1, {}]);
});

for (const kind of [DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS]) {
  test(`the selector of a ${kind.kind} is immutable`, () => {
    const old = stored(kind as typeof DEPLOYMENTS, `spec: {${good}}`);
    const { errors } = update(kind as typeof DEPLOYMENTS, old, ({ spec }) => {
      spec.selector = { matchLabels: { app: 'db' } };
      spec.template.metadata = { labels: { app: 'db' } };
    });
    assert.deepEqual(errors, ['spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable']);
  });
}

test('most of a StatefulSet is immutable', () => {
  const old = stored(STATEFUL_SETS, `spec: {serviceName: a, ${good}}`);
  const { errors } = update(STATEFUL_SETS, old, ({ spec }) => {
    spec.serviceName = 'b';
    spec.replicas = 3;
  });
  assert.deepEqual(errors, [
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ]);
});

test('a DaemonSet counts the changes of its template, whatever a client says of it', () => {
  const yaml =
    'spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}';
  const counted = (object: { metadata: { annotations?: Record<string, string> } }) =>
    object.metadata.annotations?.['deprecated.daemonset.template.generation'];
  const old = stored(DAEMON_SETS, yaml);
  assert.equal(counted(old), '1');
  const changed = update(DAEMON_SETS, old, ({ spec, metadata }) => {
    Object.assign(spec.template.spec?.containers[0] ?? {}, { image: 'j' });
    delete metadata.annotations;
  });
  assert.deepEqual([counted(changed.object), changed.errors], ['2', []]);
  const same = update(DAEMON_SETS, changed.object, ({ metadata }) => {
    metadata.annotations = { a: 'b', 'deprecated.daemonset.template.generation': '7' };
  });
  assert.deepEqual([counted(same.object), same.object.metadata.annotations?.['a']], ['2', 'b']);
});
