import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS } from '../kinds.ts';
import { podQosClass, podRequest } from '../pods.ts';
import { strategyFor } from '../strategies.ts';
import { create, manifest, stored, update } from '../testing.ts';

/** A Pod whose one container has these fields besides its name and image. */
const container = (fields: string) => `spec: {containers: [{name: a, image: nginx, ${fields}}]}`;

const refused: [why: string, yaml: string, errors: string[]][] = [
  ['no containers', 'spec: {}', ['spec.containers: Required value']],
  [
    'a container without name and image',
    'spec: {containers: [{}]}',
    ['spec.containers[0].name: Required value', 'spec.containers[0].image: Required value'],
  ],
  [
    'two containers of one name',
    'spec: {containers: [{name: a, image: x}, {name: a, image: y}]}',
    ['spec.containers[1].name: Duplicate value: "a"'],
  ],
  [
    'an image with blanks',
    'spec: {containers: [{name: a, image: " x"}]}',
    ['spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'],
  ],
  [
    'an unknown restart policy',
    'spec: {restartPolicy: Sometimes, containers: [{name: a, image: x}]}',
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
  ],
  [
    'a port without number',
    container('ports: [{name: web}]'),
    ['spec.containers[0].ports[0].containerPort: Required value'],
  ],
  [
    'a long port name',
    container('ports: [{name: this-is-too-long-x, containerPort: 80}]'),
    ['spec.containers[0].ports[0].name: Invalid value: "this-is-too-long-x": must be no more than 15 bytes'],
  ],
  [
    'one host port twice',
    container('ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]'),
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
  ],
  [
    'another host port on the host network',
    'spec: {hostNetwork: true, containers: [{name: a, image: x, ports: [{containerPort: 80, hostPort: 81}]}]}',
    ['spec.containers[0].ports[0].containerPort: Invalid value: 80: must match `hostPort` when `hostNetwork` is true'],
  ],
  [
    'a mount of no volume',
    container('volumeMounts: [{name: data, mountPath: /data}]'),
    ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
  ],
  [
    'two mounts at one place',
    'spec: {volumes: [{name: v}], containers: [{name: a, image: x, volumeMounts: [{name: v, mountPath: /d}, {name: v, mountPath: /d}]}]}',
    ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/d": must be unique'],
  ],
  [
    'a volume of two kinds',
    'spec: {volumes: [{name: v, emptyDir: {}, hostPath: {path: /x}}], containers: [{name: a, image: x}]}',
    ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'a host path that climbs',
    'spec: {volumes: [{name: v, hostPath: {path: /a/../b}}], containers: [{name: a, image: x}]}',
    ['spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\''],
  ],
  [
    'a volume item that leaves its volume',
    'spec: {volumes: [{name: v, configMap: {name: c, items: [{key: k, path: ../x}]}}], containers: [{name: a, image: x}]}',
    ['spec.volumes[0].configMap.items[0].path: Invalid value: "../x": must not contain \'..\''],
  ],
  [
    'a probe without handler',
    container('livenessProbe: {periodSeconds: 3}'),
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'a probe with two handlers',
    container('livenessProbe: {exec: {command: [x]}, tcpSocket: {port: 80}}'),
    ['spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
  ],
  [
    'a liveness successThreshold of 2',
    container('livenessProbe: {successThreshold: 2, tcpSocket: {port: 80}}'),
    ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
  ],
  [
    'a readiness grace period',
    container('readinessProbe: {terminationGracePeriodSeconds: 5, tcpSocket: {port: 80}}'),
    [
      'spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes',
    ],
  ],
  [
    'a negative probe delay',
    container('readinessProbe: {initialDelaySeconds: -1, tcpSocket: {port: 80}}'),
    ['spec.containers[0].readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'a probe port of 0',
    container('readinessProbe: {httpGet: {port: 0}}'),
    ['spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive'],
  ],
  [
    'env with value and source',
    container('env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]'),
    ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
  ],
  [
    'env from an unknown field',
    container('env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.magic}}}]'),
    [
      'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.magic": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
    ],
  ],
  [
    'a request above its limit',
    container('resources: {requests: {cpu: "2"}, limits: {cpu: 1500m}}'),
    ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m'],
  ],
  [
    'a negative request',
    container('resources: {requests: {memory: "-1"}}'),
    ['spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0'],
  ],
  [
    'hooks on an init container',
    'spec: {initContainers: [{name: i, image: x, readinessProbe: {tcpSocket: {port: 1}}}], containers: [{name: a, image: x}]}',
    [
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    'dnsPolicy None without servers',
    'spec: {dnsPolicy: None, dnsConfig: {searches: [a]}, containers: [{name: a, image: x}]}',
    ['spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'],
  ],
  [
    'a toleration for everything without Exists',
    'spec: {tolerations: [{value: x}], containers: [{name: a, image: x}]}',
    [
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
];
for (const [why, yaml, errors] of refused) {
  test(`a Pod with ${why} is refused`, () => {
    assert.deepEqual(create(PODS, yaml).errors, errors);
  });
}

test('defaults fill a Pod', () => {
  const { object } = create(PODS, container('ports: [{containerPort: 80}], livenessProbe: {httpGet: {port: 80}}'));
  assert.deepEqual(object.spec, {
    containers: [
      {
        name: 'a',
        image: 'nginx',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        livenessProbe: {
          httpGet: { port: 80, path: '/', scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        imagePullPolicy: 'Always',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        resources: {},
      },
    ],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    terminationGracePeriodSeconds: 30,
    securityContext: {},
    enableServiceLinks: true,
  });
  assert.deepEqual(object.status, { phase: 'Pending', qosClass: 'BestEffort' });
  assert.equal(object.metadata.generation, 1);
});

const pullPolicies: [image: string, policy: string][] = [
  ['nginx', 'Always'],
  ['nginx:latest', 'Always'],
  ['nginx:1.2', 'IfNotPresent'],
  ['reg:5000/nginx', 'Always'],
  ['reg:5000/nginx:1', 'IfNotPresent'],
  ['nginx@sha256:aa', 'IfNotPresent'],
];
for (const [image, policy] of pullPolicies) {
  test(`the image ${image} is pulled ${policy}`, () => {
    const { object } = create(PODS, `spec: {containers: [{name: a, image: "${image}"}]}`);
    assert.equal(object.spec.containers[0]?.imagePullPolicy, policy);
  });
}

test('host ports default to container ports on the host network, and volumes to an empty directory', () => {
  const { spec } = create(
    PODS,
    'spec: {hostNetwork: true, volumes: [{name: v}, {name: s, secret: {secretName: x}}], containers: [{name: a, image: x, ports: [{containerPort: 80}]}]}',
  ).object;
  assert.equal(spec.containers[0]?.ports?.[0]?.hostPort, 80);
  assert.deepEqual(spec.volumes, [
    { name: 'v', emptyDir: {} },
    { name: 's', secret: { secretName: 'x', defaultMode: 420 } },
  ]);
});

test('limits are the requests where none are given, and decide the quality of service', () => {
  const guaranteed = create(PODS, container('resources: {limits: {cpu: 1, memory: 1Gi}}')).object;
  assert.deepEqual(guaranteed.spec.containers[0]?.resources?.requests, { cpu: '1', memory: '1Gi' });
  assert.equal(guaranteed.status?.qosClass, 'Guaranteed');
  assert.equal(podQosClass(create(PODS, container('resources: {requests: {cpu: 1}}')).object.spec), 'Burstable');
});

const pod = stored(PODS, 'spec: {containers: [{name: a, image: "nginx:1"}]}');

test('the image of a stored Pod may change, and that counts as a new generation', () => {
  const { object, errors } = update(PODS, pod, ({ spec }) => {
    spec.containers[0]!.image = 'nginx:2';
  });
  assert.deepEqual(errors, []);
  assert.equal(object.metadata.generation, 2);
});

const forbidden =
  'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const frozen: [what: string, change: (spec: typeof pod.spec) => void, errors: string[]][] = [
  ['a command', (spec) => (spec.containers[0]!.command = ['x']), [forbidden]],
  ['the node', (spec) => (spec.nodeName = 'node01'), [forbidden]],
  [
    'a new container',
    (spec) => spec.containers.push({ name: 'b', image: 'x' }),
    ['spec.containers: Forbidden: pod updates may not add or remove containers'],
  ],
  ['an added toleration', (spec) => (spec.tolerations = [{ key: 'a', operator: 'Exists' }]), []],
];
for (const [what, change, errors] of frozen) {
  test(`${what} on a stored Pod has ${errors.length} errors`, () => {
    assert.deepEqual(update(PODS, pod, ({ spec }) => change(spec)).errors, errors);
  });
}

test('the grace period is the asked one, the spec’s, or none for a Pod that never ran (7-028)', () => {
  const { deletionGracePeriod } = strategyFor(PODS);
  const running = manifest(
    PODS,
    'spec: {nodeName: n, terminationGracePeriodSeconds: 7, containers: [{name: a, image: x}]}\nstatus: {phase: Running}',
  );
  assert.equal(deletionGracePeriod(running, undefined), 7);
  assert.equal(deletionGracePeriod(running, 0), 0);
  assert.equal(deletionGracePeriod(pod, 30), 0);
  const done = manifest(PODS, 'spec: {nodeName: n, containers: [{name: a, image: x}]}\nstatus: {phase: Succeeded}');
  assert.equal(deletionGracePeriod(done, 30), 0);
});

test('a status update leaves the spec alone', () => {
  const next = structuredClone(pod);
  next.spec.containers = [];
  next.status = { phase: 'Running' };
  strategyFor(PODS).prepareForStatusUpdate(next, pod);
  assert.deepEqual(next.spec, pod.spec);
  assert.equal(next.status?.phase, 'Running');
});

test('a Pod asks for its containers together, or its largest init container', () => {
  const asks = manifest(
    PODS,
    'spec: {initContainers: [{name: i, image: x, resources: {requests: {cpu: 2}}}, {name: s, image: x, restartPolicy: Always, resources: {requests: {cpu: 100m}}}], containers: [{name: a, image: x, resources: {requests: {cpu: 500m, memory: 1Ki}}}, {name: b, image: x, resources: {requests: {cpu: 250m}}}]}',
  );
  assert.equal(podRequest(asks, 'cpu'), 2100);
  assert.equal(podRequest(asks, 'memory'), 1024);
});
