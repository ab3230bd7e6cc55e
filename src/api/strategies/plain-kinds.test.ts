import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as K from '../kinds.ts';
import { create, stored, update } from '../testing.ts';

const target = 'scaleTargetRef: {kind: Deployment, name: w}';
const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n').toString(
  'base64',
);

const refused: [kind: K.Kind, why: string, yaml: string, errors: string[]][] = [
  [K.STORAGE_CLASSES, 'no provisioner', 'parameters: {}', ['provisioner: Required value']],
  [
    K.STORAGE_CLASSES,
    'another policy',
    'provisioner: a.b/c\nreclaimPolicy: Recycle',
    ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
  ],
  [K.CSI_DRIVERS, 'no spec', '{}', ['spec: Required value']],
  [K.CSI_NODES, 'a driver without id', 'spec: {drivers: [{name: d}]}', ['spec.drivers[0].nodeID: Required value']],
  [K.CSI_STORAGE_CAPACITIES, 'no class', '{}', ['storageClassName: Required value']],
  [K.VOLUME_ATTACHMENTS, 'nothing to attach', 'spec: {attacher: a, nodeName: n}', ['spec.source: Required value']],
  [
    K.VOLUME_ATTRIBUTES_CLASSES,
    'no parameters',
    'driverName: d',
    ['parameters: Required value: must contain at least one key/value pair'],
  ],
  [K.RUNTIME_CLASSES, 'no handler', '{}', ['handler: Required value']],
  [
    K.HORIZONTAL_POD_AUTOSCALERS,
    'fewer than one replica',
    `spec: {maxReplicas: 0, ${target}}`,
    [
      'spec.maxReplicas: Invalid value: 0: must be greater than 0',
      'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
    ],
  ],
  [
    K.HORIZONTAL_POD_AUTOSCALERS,
    'a metric of two kinds',
    `spec: {maxReplicas: 1, ${target}, metrics: [{type: Resource, pods: {metric: {name: m}}}]}`,
    [
      'spec.metrics[0].pods: Forbidden: must populate the given metric source only',
      'spec.metrics[0].resource: Required value: must populate information for the given metric source',
    ],
  ],
  [
    K.CERTIFICATE_SIGNING_REQUESTS,
    'no PEM and no usage',
    'spec: {request: YQ==, signerName: a.b/c}',
    [
      'spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST',
      'spec.usages: Required value: usages are required',
    ],
  ],
  [
    K.API_SERVICES,
    'another name than its version and group',
    'metadata: {name: v1.x}\nspec: {group: y, version: v1, groupPriorityMinimum: 1, versionPriority: 1}',
    ['metadata.name: Invalid value: "v1.x": must be `spec.version+"."+spec.group`: "v1.y"'],
  ],
];
for (const [kind, why, yaml, errors] of refused) {
  test(`a ${kind.kind} with ${why} is refused`, () => {
    assert.deepEqual(create(kind, yaml).errors, errors);
  });
}

const defaults: [kind: K.Kind, yaml: string, field: string, value: unknown][] = [
  [K.STORAGE_CLASSES, 'provisioner: a', 'volumeBindingMode', 'Immediate'],
  [
    K.CSI_DRIVERS,
    'spec: {}',
    'spec',
    {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      requiresRepublish: false,
      seLinuxMount: false,
      volumeLifecycleModes: ['Persistent'],
    },
  ],
  [
    K.HORIZONTAL_POD_AUTOSCALERS,
    `spec: {maxReplicas: 2, ${target}}`,
    'spec',
    {
      scaleTargetRef: { kind: 'Deployment', name: 'w' },
      minReplicas: 1,
      maxReplicas: 2,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ],
    },
  ],
  [
    K.API_SERVICES,
    'metadata: {name: v1.}\nspec: {version: v1, groupPriorityMinimum: 1, versionPriority: 1}',
    'status',
    {
      conditions: [
        {
          type: 'Available',
          status: 'True',
          lastTransitionTime: '2026-11-20T12:00:00Z',
          reason: 'Local',
          message: 'Local APIServices are always available',
        },
      ],
    },
  ],
];
for (const [kind, yaml, field, value] of defaults) {
  test(`${field} of a ${kind.kind} is filled in`, () => {
    const made = stored(kind, yaml) as unknown as Record<string, unknown>;
    assert.deepEqual(sorted(made[field]), sorted(value));
  });
}
/** In one order of fields. */
const sorted = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ),
  );

test('what a class or a request is about never changes', () => {
  const storage = stored(K.STORAGE_CLASSES, 'provisioner: a.b/c');
  assert.deepEqual(update(K.STORAGE_CLASSES, storage, (each) => (each.provisioner = 'a.b/d')).errors, [
    'provisioner: Invalid value: "a.b/d": field is immutable',
  ]);
  const runtime = stored(K.RUNTIME_CLASSES, 'handler: runc');
  assert.deepEqual(update(K.RUNTIME_CLASSES, runtime, (each) => (each.handler = 'kata')).errors, [
    'handler: Invalid value: "kata": field is immutable',
  ]);
  const yaml = `spec: {request: ${request}, signerName: a.b/c, usages: [client auth]}`;
  const old = stored(K.CERTIFICATE_SIGNING_REQUESTS, yaml);
  const { object, errors } = update(K.CERTIFICATE_SIGNING_REQUESTS, old, (each) => (each.spec.signerName = 'x.y/z'));
  assert.deepEqual([object.spec.signerName, errors], ['a.b/c', []]);
});
