import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { fieldErrorMessage, invalid, required } from '../field-error.ts';
import { apiVersionOf, ENDPOINT_SLICES, KINDS, kindByApiVersion, storedKind, type Kind } from '../kinds.ts';
import type { KubeObject } from '../types.ts';
import { errorsIn, fromVersion, toVersion } from './convert.ts';
import { compareVersions } from './order.ts';

const objectOf = (kind: Kind, yaml: string): KubeObject => ({
  kind: kind.kind,
  apiVersion: apiVersionOf(kind),
  metadata: { name: 'it' },
  ...(parse(yaml) as object),
});

function kindOf(apiVersion: string, name: string): Kind {
  const kind = kindByApiVersion(apiVersion, name);
  assert.ok(kind, `${apiVersion} ${name} is served`);
  return kind;
}

const ingress = (backend: string, defaultBackend: string) =>
  `spec: {${defaultBackend}, ingressClassName: a, rules: [{host: h, http: {paths: [{path: /, pathType: Prefix, ${backend}}]}}]}`;

/** The same object in an older version and as it is stored, both ways. */
const both: [apiVersion: string, kind: string, older: string, stored: string][] = [
  [
    'networking.k8s.io/v1beta1',
    'Ingress',
    ingress('backend: {serviceName: s, servicePort: 80}', 'backend: {serviceName: d, servicePort: http}'),
    ingress(
      'backend: {service: {name: s, port: {number: 80}}}',
      'defaultBackend: {service: {name: d, port: {name: http}}}',
    ),
  ],
  [
    'extensions/v1beta1',
    'Ingress',
    ingress('backend: {resource: {kind: B, name: b}}', 'backend: {serviceName: d, servicePort: 1}'),
    ingress('backend: {resource: {kind: B, name: b}}', 'defaultBackend: {service: {name: d, port: {number: 1}}}'),
  ],
  ['extensions/v1beta1', 'Ingress', 'spec: {rules: [{host: h}]}', 'spec: {rules: [{host: h}]}'],
  [
    'discovery.k8s.io/v1beta1',
    'EndpointSlice',
    'endpoints: [{addresses: [1.2.3.4], nodeName: n, topology: {kubernetes.io/hostname: n, topology.kubernetes.io/zone: z, a: b}}]',
    'endpoints: [{addresses: [1.2.3.4], nodeName: n, zone: z, deprecatedTopology: {a: b}}]',
  ],
  [
    'discovery.k8s.io/v1beta1',
    'EndpointSlice',
    'endpoints: [{addresses: [1.2.3.4], nodeName: n, topology: {kubernetes.io/hostname: other}}, {addresses: [1.2.3.5]}]',
    'endpoints: [{addresses: [1.2.3.4], nodeName: n, deprecatedTopology: {kubernetes.io/hostname: other}}, {addresses: [1.2.3.5]}]',
  ],
  [
    'policy/v1beta1',
    'PodDisruptionBudget',
    'spec: {selector: {}}',
    'spec: {selector: {matchExpressions: [{key: pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match, operator: Exists}]}}',
  ],
  [
    'policy/v1beta1',
    'PodDisruptionBudget',
    'spec: {selector: {matchExpressions: [{key: pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match, operator: DoesNotExist}]}}',
    'spec: {selector: {}}',
  ],
  ['policy/v1beta1', 'PodDisruptionBudget', 'spec: {minAvailable: 1}', 'spec: {minAvailable: 1}'],
  [
    'events.k8s.io/v1beta1',
    'Event',
    'regarding: {kind: Pod, name: p}\nnote: n\ndeprecatedCount: 2\nreason: r',
    'involvedObject: {kind: Pod, name: p}\nmessage: n\ncount: 2\nreason: r',
  ],
  [
    'extensions/v1beta1',
    'DaemonSet',
    'spec: {templateGeneration: 3, selector: {}, updateStrategy: {type: OnDelete}}',
    'metadata: {name: it, annotations: {deprecated.daemonset.template.generation: "3"}}\nspec: {selector: {}, updateStrategy: {type: OnDelete}}',
  ],
  [
    'apps/v1beta1',
    'Deployment',
    'metadata: {name: it, annotations: {a: b}}\nspec: {revisionHistoryLimit: 1, rollbackTo: {revision: 7}}',
    'metadata: {name: it, annotations: {a: b, deprecated.deployment.rollback.to: "7"}}\nspec: {revisionHistoryLimit: 1}',
  ],
  [
    'autoscaling/v1',
    'HorizontalPodAutoscaler',
    'spec: {maxReplicas: 5, targetCPUUtilizationPercentage: 50}',
    'spec: {maxReplicas: 5, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}',
  ],
  [
    'autoscaling/v1',
    'HorizontalPodAutoscaler',
    `metadata: {name: it, annotations: {a: b, autoscaling.alpha.kubernetes.io/metrics: '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}},{"type":"Resource","resource":{"name":"cpu","targetAverageUtilization":50}},{"type":"Pods","pods":{"metricName":"hits","targetAverageValue":"10"}}]', autoscaling.alpha.kubernetes.io/behavior: '{"scaleDown":{"selectPolicy":"Min"}}'}}
spec: {maxReplicas: 5, targetCPUUtilizationPercentage: 50}`,
    `metadata: {name: it, annotations: {a: b}}
spec:
  maxReplicas: 5
  metrics:
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: Pods, pods: {metric: {name: hits}, target: {type: AverageValue, averageValue: "10"}}}
  behavior: {scaleDown: {selectPolicy: Min}}`,
  ],
  [
    'autoscaling/v1',
    'HorizontalPodAutoscaler',
    `metadata: {name: it, annotations: {autoscaling.alpha.kubernetes.io/metrics: '[{"type":"Object","object":{"target":{"kind":"Service","name":"s"},"metricName":"m","targetValue":"1"}},{"type":"External","external":{"metricName":"e","metricSelector":{"matchLabels":{"x":"y"}},"targetAverageValue":"2"}},{"type":"ContainerResource","containerResource":{"name":"cpu","container":"c","targetAverageUtilization":9}}]', autoscaling.alpha.kubernetes.io/current-metrics: '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":7,"currentAverageValue":"4m"}}]', autoscaling.alpha.kubernetes.io/conditions: '[{"type":"AbleToScale","status":"True"}]'}}
spec: {maxReplicas: 5}
status: {currentReplicas: 1, currentCPUUtilizationPercentage: 7}`,
    `spec:
  maxReplicas: 5
  metrics:
  - {type: Object, object: {describedObject: {kind: Service, name: s}, metric: {name: m}, target: {type: Value, value: "1"}}}
  - {type: External, external: {metric: {name: e, selector: {matchLabels: {x: "y"}}}, target: {type: AverageValue, averageValue: "2"}}}
  - {type: ContainerResource, containerResource: {name: cpu, container: c, target: {type: Utilization, averageUtilization: 9}}}
status:
  currentReplicas: 1
  currentMetrics: [{type: Resource, resource: {name: cpu, current: {averageUtilization: 7, averageValue: 4m}}}]
  conditions: [{type: AbleToScale, status: "True"}]`,
  ],
  [
    'batch/v1beta1',
    'CronJob',
    'spec: {schedule: "* * * * *", timeZone: UTC}',
    'spec: {schedule: "* * * * *", timeZone: UTC}',
  ],
  ['apps/v1beta2', 'ControllerRevision', 'revision: 1\ndata: {a: 1}', 'revision: 1\ndata: {a: 1}'],
];
for (const [index, [apiVersion, name, older, stored]] of both.entries()) {
  const kind = kindOf(apiVersion, name);
  test(`${apiVersion} ${name} and what is stored turn into each other (${index})`, () => {
    const [old, present] = [objectOf(kind, older), objectOf(storedKind(kind), stored)];
    const [oldText, presentText] = [JSON.stringify(old), JSON.stringify(present)];
    assert.deepEqual(fromVersion(structuredClone(old), kind), present);
    assert.deepEqual(toVersion(present, kind), old);
    assert.deepEqual(
      [JSON.stringify(old), JSON.stringify(present)],
      [oldText, presentText],
      'nothing given is changed',
    );
  });
}

const template = 'template: {metadata: {labels: {app: w}}}';
/** What an older version fills in of its own, as it is then stored. */
const defaults: [apiVersion: string, kind: string, given: string, stored: string][] = [
  [
    'extensions/v1beta1',
    'Deployment',
    `spec: {${template}}`,
    `metadata: {name: it, labels: {app: w}}\nspec: {${template}, selector: {matchLabels: {app: w}}, strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}, progressDeadlineSeconds: 2147483647, revisionHistoryLimit: 2147483647}`,
  ],
  [
    'extensions/v1beta1',
    'Deployment',
    `metadata: {name: it, labels: {a: b}}\nspec: {${template}, selector: {matchLabels: {x: y}}, strategy: {type: Recreate}}`,
    `metadata: {name: it, labels: {a: b}}\nspec: {${template}, selector: {matchLabels: {x: y}}, strategy: {type: Recreate}, progressDeadlineSeconds: 2147483647, revisionHistoryLimit: 2147483647}`,
  ],
  [
    'apps/v1beta1',
    'Deployment',
    `spec: {${template}}`,
    `metadata: {name: it, labels: {app: w}}\nspec: {${template}, selector: {matchLabels: {app: w}}, revisionHistoryLimit: 2}`,
  ],
  ['apps/v1beta2', 'Deployment', `spec: {${template}}`, `spec: {${template}}`],
  [
    'extensions/v1beta1',
    'DaemonSet',
    `spec: {${template}}`,
    `metadata: {name: it, labels: {app: w}}\nspec: {${template}, selector: {matchLabels: {app: w}}, updateStrategy: {type: OnDelete}}`,
  ],
  ['apps/v1beta2', 'DaemonSet', `spec: {${template}}`, `spec: {${template}}`],
  [
    'extensions/v1beta1',
    'ReplicaSet',
    `spec: {${template}}`,
    `metadata: {name: it, labels: {app: w}}\nspec: {${template}, selector: {matchLabels: {app: w}}}`,
  ],
  [
    'apps/v1beta1',
    'StatefulSet',
    `spec: {${template}}`,
    `metadata: {name: it, labels: {app: w}}\nspec: {${template}, selector: {matchLabels: {app: w}}, updateStrategy: {type: OnDelete}}`,
  ],
  [
    'networking.k8s.io/v1beta1',
    'Ingress',
    'spec: {rules: [{http: {paths: [{backend: {serviceName: s, servicePort: 80}}]}}]}',
    'spec: {rules: [{http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: s, port: {number: 80}}}}]}}]}',
  ],
];
for (const [index, [apiVersion, name, given, stored]] of defaults.entries()) {
  const kind = kindOf(apiVersion, name);
  test(`${apiVersion} ${name} fills in what it always did (${index})`, () => {
    assert.deepEqual(fromVersion(objectOf(kind, given), kind), objectOf(storedKind(kind), stored));
  });
}

const words: [apiVersion: string, kind: string, stored: string, told: string][] = [
  ['extensions/v1beta1', 'Ingress', 'spec.defaultBackend', 'spec.backend'],
  [
    'networking.k8s.io/v1beta1',
    'Ingress',
    'spec.rules[0].http.paths[1].backend.service.name',
    'spec.rules[0].http.paths[1].backend.serviceName',
  ],
  ['networking.k8s.io/v1beta1', 'Ingress', 'spec.defaultBackend.service.port.number', 'spec.backend.servicePort'],
  ['networking.k8s.io/v1beta1', 'Ingress', 'spec.rules[0].host', 'spec.rules[0].host'],
  ['discovery.k8s.io/v1beta1', 'EndpointSlice', 'endpoints[2].deprecatedTopology', 'endpoints[2].topology'],
  ['events.k8s.io/v1beta1', 'Event', 'involvedObject.namespace', 'regarding.namespace'],
  ['apps/v1', 'Deployment', 'spec.selector', 'spec.selector'],
];
for (const [apiVersion, name, stored, told] of words) {
  test(`${apiVersion} calls ${stored} of a stored ${name} ${told}`, () => {
    assert.deepEqual(errorsIn(kindOf(apiVersion, name), [required(stored)]), [required(told)]);
  });
}

test('a selector may change through the versions that always let it', () => {
  const errors = [invalid('spec.selector', {}, 'field is immutable'), required('spec.template')];
  const told = (apiVersion: string) => errorsIn(kindOf(apiVersion, 'Deployment'), errors).map(fieldErrorMessage);
  assert.deepEqual(told('apps/v1beta1'), ['spec.template: Required value']);
  assert.deepEqual(told('extensions/v1beta1'), ['spec.template: Required value']);
  assert.equal(told('apps/v1beta2').length, 2);
  assert.equal(told('apps/v1').length, 2);
});

test('v1 cannot write the old topology of endpoints, but keeps it while they stay the same (2-041)', () => {
  const slice = (endpoints: string) => objectOf(ENDPOINT_SLICES, `endpoints: ${endpoints}`);
  const topology = 'deprecatedTopology: {kubernetes.io/hostname: n, a: b}';
  const old = slice(`[{addresses: [1.2.3.4], ${topology}}]`);
  assert.deepEqual(fromVersion(structuredClone(old), ENDPOINT_SLICES), slice('[{addresses: [1.2.3.4]}]'));
  assert.deepEqual(fromVersion(structuredClone(old), ENDPOINT_SLICES, old), old);
  const changed = slice(`[{addresses: [1.2.3.4], ${topology}}, {addresses: [1.2.3.5]}]`);
  assert.deepEqual(
    fromVersion(changed, ENDPOINT_SLICES, old),
    slice('[{nodeName: n, addresses: [1.2.3.4]}, {addresses: [1.2.3.5]}]'),
  );
});

test('an older version is a row of its own that differs from the stored one in what it must', () => {
  const older = KINDS.filter((kind) => kind.deprecated !== undefined && storedKind(kind) !== kind);
  assert.ok(older.length >= 27);
  for (const kind of older) {
    const stored = storedKind(kind);
    assert.deepEqual([kind.kind, kind.plural, kind.namespaced], [stored.kind, stored.plural, stored.namespaced]);
    assert.match(kind.deprecated ?? '', /^\S+ \w+ is deprecated in v1\.\d+\+, unavailable in v1\.\d+\+; use \S+ \w+$/);
  }
  assert.equal(
    kindOf('networking.k8s.io/v1beta1', 'Ingress').deprecated,
    'networking.k8s.io/v1beta1 Ingress is deprecated in v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress',
  );
});

test('stable versions come before beta and alpha ones, and newer before older', () => {
  const versions = ['v1alpha1', 'other', 'v1beta1', 'v1', 'v10', 'v2', 'v1beta2', 'v2alpha1', 'another'];
  const sorted = ['v10', 'v2', 'v1', 'v1beta2', 'v1beta1', 'v2alpha1', 'v1alpha1', 'another', 'other'];
  assert.deepEqual(versions.sort(compareVersions), sorted);
});
