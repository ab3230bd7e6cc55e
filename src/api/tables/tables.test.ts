import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as K from '../kinds.ts';
import { strategyFor } from '../strategies.ts';
import { toTable } from '../table.ts';
import { manifest, testTime } from '../testing.ts';
import type { KubeObject } from '../types.ts';

/** Five minutes after every object of these tests was made. */
const now = Date.parse(testTime) + 300_000;

/** What `kubectl get` shows: column names and cells, the wide ones after a '|'. */
function printed(kind: K.Kind, yaml: string): { columns: string; cells: string } {
  const object = manifest(kind, yaml);
  object.metadata.creationTimestamp = testTime;
  const table = toTable(kind, [object], now);
  const shown = <T>(values: readonly T[], wide: boolean) =>
    values.filter((_, index) => (table.columnDefinitions[index]?.priority === 1) === wide);
  const line = (values: readonly unknown[]) => {
    const [normal, wide] = [shown(values, false).join(' '), shown(values, true).join(' ')];
    return wide === '' ? normal : `${normal} | ${wide}`;
  };
  return {
    columns: line(table.columnDefinitions.map(({ name }) => name.replace(/ /g, '_'))),
    cells: line(table.rows[0]?.cells.map((cell) => (cell === '' ? "''" : cell)) ?? []),
  };
}

const podColumns = 'Name Ready Status Restarts Age | IP Node Nominated_Node Readiness_Gates';
const serviceColumns = 'Name Type Cluster-IP External-IP Port(s) Age | Selector';
const workload =
  'selector: {matchLabels: {app: web}}, template: {spec: {nodeSelector: {disk: ssd}, containers: [{name: a, image: x}, {name: b, image: y}]}}';

const cases: [kind: K.Kind, yaml: string, columns: string, cells: string][] = [
  [
    K.PODS,
    'spec: {containers: [{name: a}]}\nstatus: {phase: Pending}',
    podColumns,
    'it 0/1 Pending 0 5m | <none> <none> <none> <none>',
  ],
  [
    K.PODS,
    'spec: {nodeName: node01, readinessGates: [{conditionType: a/b}], containers: [{name: a}, {name: b}]}\nstatus: {phase: Running, podIPs: [{ip: 10.244.1.2}], containerStatuses: [{name: a, ready: true, restartCount: 3, state: {running: {}}, lastState: {terminated: {finishedAt: "2026-11-20T12:03:00Z"}}}, {name: b, state: {running: {}}}]}',
    podColumns,
    'it 1/2 Running 3 (2m ago) 5m | 10.244.1.2 node01 <none> 0/1',
  ],
  [
    K.SERVICES,
    'spec: {type: ClusterIP, clusterIPs: [10.96.0.5], selector: {app: web, b: c}, ports: [{port: 80, protocol: TCP}, {port: 53, protocol: UDP}]}',
    serviceColumns,
    'it ClusterIP 10.96.0.5 <none> 80/TCP,53/UDP 5m | app=web,b=c',
  ],
  [
    K.SERVICES,
    'spec: {type: NodePort, clusterIPs: [10.96.0.5], externalIPs: [1.2.3.4], ports: [{port: 80, nodePort: 30080, protocol: TCP}]}',
    serviceColumns,
    'it NodePort 10.96.0.5 1.2.3.4 80:30080/TCP 5m | <none>',
  ],
  [
    K.SERVICES,
    'spec: {type: LoadBalancer, clusterIPs: [10.96.0.5]}',
    serviceColumns,
    'it LoadBalancer 10.96.0.5 <pending> <none> 5m | <none>',
  ],
  [
    K.SERVICES,
    'spec: {type: LoadBalancer, clusterIPs: [10.96.0.5]}\nstatus: {loadBalancer: {ingress: [{ip: 1.2.3.4}, {hostname: a.b}]}}',
    serviceColumns,
    'it LoadBalancer 10.96.0.5 1.2.3.4,a.b <none> 5m | <none>',
  ],
  [
    K.SERVICES,
    'spec: {type: ExternalName, externalName: db.example.com}',
    serviceColumns,
    'it ExternalName <none> db.example.com <none> 5m | <none>',
  ],
  [
    K.SERVICES,
    'spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None]}',
    serviceColumns,
    'it ClusterIP None <none> <none> 5m | <none>',
  ],
  [K.ENDPOINTS, '{}', 'Name Endpoints Age', 'it <none> 5m'],
  [
    K.ENDPOINTS,
    'subsets: [{addresses: [{ip: 10.0.0.1}, {ip: "fd00::1"}], notReadyAddresses: [{ip: 10.0.0.9}], ports: [{port: 80}, {port: 81}]}]',
    'Name Endpoints Age',
    'it 10.0.0.1:80,[fd00::1]:80,10.0.0.1:81 + 1 more... 5m',
  ],
  [K.ENDPOINT_SLICES, 'addressType: IPv4', 'Name AddressType Ports Endpoints Age', 'it IPv4 <unset> <unset> 5m'],
  [
    K.ENDPOINT_SLICES,
    'addressType: IPv4\nports: [{port: 80}, {name: x}, {}]\nendpoints: [{addresses: [1.1.1.1]}, {addresses: [1.1.1.2]}, {addresses: [1.1.1.3]}, {addresses: [1.1.1.4]}]',
    'Name AddressType Ports Endpoints Age',
    'it IPv4 80,x,* 1.1.1.1,1.1.1.2,1.1.1.3 + 1 more... 5m',
  ],
  [
    K.INGRESSES,
    'spec: {ingressClassName: fast, tls: [{}], rules: [{host: a.b}, {host: c.d}, {host: e.f}, {host: g.h}]}\nstatus: {loadBalancer: {ingress: [{hostname: a-very-long-name.example.com}]}}',
    'Name Class Hosts Address Ports Age',
    'it fast a.b,c.d,e.f + 1 more... a-very-long-n... 80, 443 5m',
  ],
  [K.INGRESSES, 'spec: {}', 'Name Class Hosts Address Ports Age', "it <none> * '' 80 5m"],
  [
    K.INGRESS_CLASSES,
    'metadata: {annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}\nspec: {controller: a/b, parameters: {apiGroup: g, kind: K, name: n}}',
    'Name Controller Parameters Age',
    'it (default) a/b K.g/n 5m',
  ],
  [K.SERVICE_CIDRS, 'spec: {cidrs: [10.96.0.0/16, "fd00::/112"]}', 'Name CIDRs Age', 'it 10.96.0.0/16,fd00::/112 5m'],
  [
    K.IP_ADDRESSES,
    'spec: {parentRef: {resource: services, namespace: default, name: web}}',
    'Name ParentRef',
    'it services/default/web',
  ],
  [K.NETWORK_POLICIES, 'spec: {podSelector: {matchLabels: {a: b}}}', 'Name Pod-Selector Age', 'it a=b 5m'],
  [
    K.NODES,
    'metadata: {labels: {node-role.kubernetes.io/worker: "", kubernetes.io/role: edge}}\nspec: {unschedulable: true}\nstatus: {conditions: [{type: Ready, status: "True"}], addresses: [{type: InternalIP, address: 172.30.0.11}], nodeInfo: {kubeletVersion: v1.36.2, kernelVersion: "6.18", architecture: amd64, osImage: Debian, containerRuntimeVersion: "containerd://1.6"}}',
    'Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version Container-Runtime',
    'it Ready,SchedulingDisabled edge,worker 5m v1.36.2 | 172.30.0.11 <none> Debian 6.18 (amd64) containerd://1.6',
  ],
  [
    K.NODES,
    'status: {conditions: [{type: Ready, status: Unknown}]}',
    'Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version Container-Runtime',
    "it NotReady <none> 5m '' | <none> <none> <unknown> <unknown> <unknown>",
  ],
  [K.NAMESPACES, 'status: {phase: Active}', 'Name Status Age', 'it Active 5m'],
  [
    K.EVENTS,
    'type: Warning\nreason: Failed\nmessage: "it broke\\n"\ncount: 4\ninvolvedObject: {kind: Pod, name: web, fieldPath: "spec.containers{a}"}\nsource: {component: kubelet, host: node01}\nfirstTimestamp: "2026-11-20T12:00:00Z"\nlastTimestamp: "2026-11-20T12:04:30Z"',
    'Last_Seen Type Reason Object Message | Subobject Source First_Seen Count Name',
    '30s Warning Failed pod/web it broke | spec.containers{a} kubelet, node01 5m 4 it',
  ],
  [
    K.EVENTS,
    'type: Normal\nreason: Ok\nmessage: fine\ninvolvedObject: {kind: Pod, name: web}\nreportingComponent: me\neventTime: "2026-11-20T12:04:00.000000Z"',
    'Last_Seen Type Reason Object Message | Subobject Source First_Seen Count Name',
    "60s Normal Ok pod/web fine | '' me 60s 1 it",
  ],
  [
    K.DEPLOYMENTS,
    `spec: {replicas: 3, ${workload}}\nstatus: {readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1}`,
    'Name Ready Up-to-date Available Age | Containers Images Selector',
    'it 2/3 3 1 5m | a,b x,y app=web',
  ],
  [
    K.REPLICA_SETS,
    `spec: {replicas: 3, ${workload}}\nstatus: {replicas: 2, readyReplicas: 1}`,
    'Name Desired Current Ready Age | Containers Images Selector',
    'it 3 2 1 5m | a,b x,y app=web',
  ],
  [
    K.REPLICATION_CONTROLLERS,
    'spec: {replicas: 3, selector: {app: web}, template: {spec: {containers: [{name: a, image: x}]}}}\nstatus: {replicas: 2}',
    'Name Desired Current Ready Age | Containers Images Selector',
    'it 3 2 0 5m | a x app=web',
  ],
  [
    K.STATEFUL_SETS,
    `spec: {replicas: 2, ${workload}}\nstatus: {readyReplicas: 1}`,
    'Name Ready Age | Containers Images',
    'it 1/2 5m | a,b x,y',
  ],
  [
    K.DAEMON_SETS,
    `spec: {${workload}}\nstatus: {desiredNumberScheduled: 2, currentNumberScheduled: 2, numberReady: 1}`,
    'Name Desired Current Ready Up-to-date Available Node_Selector Age | Containers Images Selector',
    'it 2 2 1 0 0 disk=ssd 5m | a,b x,y app=web',
  ],
  [
    K.JOBS,
    `spec: {completions: 3, ${workload}}\nstatus: {succeeded: 3, startTime: "2026-11-20T12:00:00Z", completionTime: "2026-11-20T12:00:42Z", conditions: [{type: Complete, status: "True"}]}`,
    'Name Status Completions Duration Age | Containers Images Selector',
    'it Complete 3/3 42s 5m | a,b x,y app=web',
  ],
  [
    K.CRON_JOBS,
    'spec: {schedule: "* * * * *", suspend: false, jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: x}]}}}}}\nstatus: {active: [{}], lastScheduleTime: "2026-11-20T12:04:00Z"}',
    'Name Schedule Timezone Suspend Active Last_Schedule Age | Containers Images Selector',
    'it * * * * * <none> False 1 60s 5m | a x <none>',
  ],
  [K.CONFIG_MAPS, 'data: {a: b}\nbinaryData: {c: ZA==}', 'Name Data Age', 'it 2 5m'],
  [K.SECRETS, 'type: Opaque\ndata: {a: YQ==}', 'Name Type Data Age', 'it Opaque 1 5m'],
  [K.SERVICE_ACCOUNTS, '{}', 'Name Age', 'it 5m'],
  [K.LEASES, 'spec: {holderIdentity: me}', 'Name Holder Age', 'it me 5m'],
  [
    K.ROLE_BINDINGS,
    'roleRef: {kind: Role, name: r}\nsubjects: [{kind: User, name: u}, {kind: ServiceAccount, name: s, namespace: n}]',
    'Name Role Age | Users Groups ServiceAccounts',
    "it Role/r 5m | u '' n/s",
  ],
  [
    K.POD_DISRUPTION_BUDGETS,
    'spec: {minAvailable: 1}',
    'Name Min_Available Max_Unavailable Allowed_Disruptions Age',
    'it 1 N/A 0 5m',
  ],
  [
    K.CONTROLLER_REVISIONS,
    'metadata: {ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: d, uid: u, controller: true}]}\nrevision: 3',
    'Name Controller Revision Age',
    'it daemonset.apps/d 3 5m',
  ],
  [K.CLUSTER_ROLES, '{}', 'Name Created_At', `it ${testTime}`],
];
for (const [kind, yaml, columns, cells] of cases) {
  test(`a ${kind.kind} of ${kind.group || 'the core group'} prints as "${cells}"`, () => {
    assert.deepEqual(printed(kind, yaml), { columns, cells });
  });
}

/** As the store holds it: with the defaults. */
function defaulted<T extends KubeObject>(kind: K.Kind<T>, yaml: string): T {
  const object = manifest(kind, yaml);
  strategyFor(kind).applyDefaults(object);
  return object;
}

const running = 'state: {running: {}}';
const statuses: [status: string, why: string, yaml: string][] = [
  [
    'ContainerCreating',
    'a container waits',
    'status: {phase: Pending, containerStatuses: [{name: a, state: {waiting: {reason: ContainerCreating}}}]}',
  ],
  [
    'CrashLoopBackOff',
    'a container keeps failing',
    'status: {phase: Running, containerStatuses: [{name: a, state: {waiting: {reason: CrashLoopBackOff}}}]}',
  ],
  [
    'ImagePullBackOff',
    'the first container speaks first',
    'status: {phase: Pending, containerStatuses: [{name: a, state: {waiting: {reason: ImagePullBackOff}}}, {name: b, state: {waiting: {reason: ContainerCreating}}}]}',
  ],
  [
    'Completed',
    'all are through',
    'status: {phase: Succeeded, containerStatuses: [{name: a, state: {terminated: {reason: Completed}}}]}',
  ],
  [
    'NotReady',
    'one is through and the other runs, not ready',
    `status: {phase: Running, containerStatuses: [{name: a, state: {terminated: {reason: Completed}}}, {name: b, ready: true, ${running}}]}`,
  ],
  [
    'Running',
    'one is through and the other serves',
    `status: {phase: Running, conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: a, state: {terminated: {reason: Completed}}}, {name: b, ready: true, ${running}}]}`,
  ],
  [
    'Error',
    'a container failed',
    'status: {phase: Failed, containerStatuses: [{name: a, state: {terminated: {reason: Error, exitCode: 1}}}]}',
  ],
  [
    'ExitCode:3',
    'a container failed without a reason',
    'status: {phase: Failed, containerStatuses: [{name: a, state: {terminated: {exitCode: 3}}}]}',
  ],
  [
    'Signal:9',
    'a container was killed without a reason',
    'status: {phase: Failed, containerStatuses: [{name: a, state: {terminated: {exitCode: 137, signal: 9}}}]}',
  ],
  ['Evicted', 'the Pod has a reason of its own', 'status: {phase: Failed, reason: Evicted}'],
  [
    'Init:0/2',
    'the first of two runs',
    `spec: {initContainers: [{name: i}, {name: j}]}\nstatus: {phase: Pending, initContainerStatuses: [{name: i, ${running}}, {name: j, state: {waiting: {reason: PodInitializing}}}]}`,
  ],
  [
    'Init:1/2',
    'the second of two runs',
    `spec: {initContainers: [{name: i}, {name: j}]}\nstatus: {phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 0}}}, {name: j, ${running}}]}`,
  ],
  [
    'Init:Error',
    'an init container failed',
    'spec: {initContainers: [{name: i}]}\nstatus: {phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 1, reason: Error}}}]}',
  ],
  [
    'Init:CrashLoopBackOff',
    'an init container keeps failing',
    'spec: {initContainers: [{name: i}]}\nstatus: {phase: Pending, initContainerStatuses: [{name: i, state: {waiting: {reason: CrashLoopBackOff}}}]}',
  ],
  [
    'Running',
    'a sidecar runs on',
    `spec: {initContainers: [{name: i, restartPolicy: Always}]}\nstatus: {phase: Running, initContainerStatuses: [{name: i, started: true, ${running}}], containerStatuses: [{name: a, ready: true, ${running}}]}`,
  ],
  [
    'Terminating',
    'it is being deleted',
    `metadata: {deletionTimestamp: "2026-11-20T12:00:00Z"}\nstatus: {phase: Running}`,
  ],
  [
    'Completed',
    'it is being deleted after it was through',
    'metadata: {deletionTimestamp: "2026-11-20T12:00:00Z"}\nstatus: {phase: Succeeded, containerStatuses: [{name: a, state: {terminated: {reason: Completed}}}]}',
  ],
  [
    'Unknown',
    'it is being deleted from a lost node',
    'metadata: {deletionTimestamp: "2026-11-20T12:00:00Z"}\nstatus: {phase: Running, reason: NodeLost}',
  ],
  [
    'SchedulingGated',
    'a gate holds it',
    'status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: SchedulingGated}]}',
  ],
];
for (const [status, why, yaml] of statuses) {
  test(`the status of a Pod is ${status} when ${why}`, () => {
    const table = toTable(K.PODS, [defaulted(K.PODS, yaml)], now);
    assert.equal(table.rows[0]?.cells[2], status);
  });
}

test('a sidecar counts among the ready containers', () => {
  const pod = manifest(
    K.PODS,
    `spec: {initContainers: [{name: i, restartPolicy: Always}], containers: [{name: a}]}\nstatus: {phase: Running, initContainerStatuses: [{name: i, ready: true, started: true, ${running}}], containerStatuses: [{name: a, ready: false, ${running}}]}`,
  );
  assert.equal(toTable(K.PODS, [pod], now).rows[0]?.cells[1], '1/2');
});

test('rows carry metadata, the object or nothing, as asked', () => {
  const namespace = manifest(K.NAMESPACES, 'metadata: {name: a, resourceVersion: "7"}');
  const table = toTable(K.NAMESPACES, [namespace], now);
  assert.deepEqual(table.metadata, { resourceVersion: '7' });
  assert.deepEqual(table.rows[0]?.object, {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: namespace.metadata,
  });
  assert.deepEqual(toTable(K.NAMESPACES, [namespace], now, 'Object').rows[0]?.object, namespace);
  assert.equal('object' in (toTable(K.NAMESPACES, [namespace], now, 'None').rows[0] ?? {}), false);
  assert.deepEqual(toTable(K.NAMESPACES, [], now, 'None', { resourceVersion: '9' }).metadata, { resourceVersion: '9' });
});

test('every kind has a table whose cells fit its columns', () => {
  for (const kind of K.KINDS) {
    const table = toTable(kind, [defaulted(K.storedKind(kind), '{}')], now);
    assert.equal(table.rows[0]?.cells.length, table.columnDefinitions.length, kind.kind);
  }
});
