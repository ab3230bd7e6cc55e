import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../api/types.ts';
import { decide } from './decide.ts';
import { hostPorts } from './filters.ts';
import { podRequests } from './resources.ts';
import { aNode, aPod, around, asking } from './test-objects.ts';

const a = aNode('a');
const b = aNode('b');
const ssd = aNode('ssd', { labels: { disk: 'ssd', size: '7' } });
const expression = (key: string, operator: string, values: string[] = []) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
      },
    },
  },
});
const near = (which: 'podAffinity' | 'podAntiAffinity', app: string) => ({
  affinity: {
    [which]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  },
});
const spread = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'x' } },
    },
  ],
};
const onPort = (hostPort: number, hostIP = '', protocol = 'TCP') => ({
  containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort, hostIP, protocol }] }],
});
const labelled = (name: string, app: string, spec: Partial<Pod['spec']> = {}) => aPod(name, spec, { labels: { app } });
const named = (name: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
      },
    },
  },
});
const tainted = aNode('tainted', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } });
const cordoned = aNode('cordoned', { spec: { unschedulable: true } });
const noFit = (reasons: string, nodes = 1) => `0/${String(nodes)} nodes are available: ${reasons}.`;

const table: [string, Pod, Node[], Record<string, Pod[]>, string][] = [
  ['no Node at all', aPod('p'), [], {}, 'no nodes available to schedule pods'],
  ['one Node', aPod('p'), [a], {}, 'a'],
  ['a cordoned Node', aPod('p'), [cordoned, a], {}, 'a'],
  ['a taint', aPod('p'), [tainted], {}, noFit('1 node(s) had untolerated taint {gpu: yes}')],
  ['a tolerated taint', aPod('p', { tolerations: [{ key: 'gpu', operator: 'Exists' }] }), [tainted], {}, 'tainted'],
  [
    'a soft taint is avoided',
    aPod('p'),
    [aNode('a', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } }), b],
    {},
    'b',
  ],
  ['a node selector', aPod('p', { nodeSelector: { disk: 'ssd' } }), [a, ssd], {}, 'ssd'],
  [
    'a node selector nobody has',
    aPod('p', { nodeSelector: { disk: 'tape' } }),
    [a, ssd],
    {},
    noFit("2 node(s) didn't match Pod's node affinity/selector", 2),
  ],
  ['affinity In', aPod('p', expression('disk', 'In', ['ssd'])), [a, ssd], {}, 'ssd'],
  ['affinity NotIn', aPod('p', expression('disk', 'NotIn', ['ssd'])), [a, ssd], {}, 'a'],
  ['affinity Exists', aPod('p', expression('disk', 'Exists')), [a, ssd], {}, 'ssd'],
  ['affinity DoesNotExist', aPod('p', expression('disk', 'DoesNotExist')), [a, ssd], {}, 'a'],
  ['affinity Gt', aPod('p', expression('size', 'Gt', ['6'])), [a, ssd], {}, 'ssd'],
  [
    'affinity Lt',
    aPod('p', expression('size', 'Lt', ['7'])),
    [ssd],
    {},
    noFit("1 node(s) didn't match Pod's node affinity/selector"),
  ],
  ['the field metadata.name, as daemon sets use it', aPod('p', named('b')), [a, b], {}, 'b'],
  ['cpu that is taken', aPod('p', asking({ cpu: '1500m' })), [a, b], { a: [aPod('q', asking({ cpu: '1' }))] }, 'b'],
  ['cpu that is just enough', aPod('p', asking({ cpu: '1' })), [a], { a: [aPod('q', asking({ cpu: '1' }))] }, 'a'],
  [
    'everything short',
    aPod('p', asking({ cpu: '3', memory: '5Gi' })),
    [a],
    {},
    noFit('1 Insufficient cpu, 1 Insufficient memory'),
  ],
  [
    'a resource no Node has',
    aPod('p', asking({ 'example.com/gpu': '1' })),
    [a],
    {},
    noFit('1 Insufficient example.com/gpu'),
  ],
  [
    'too many Pods',
    aPod('p'),
    [aNode('a', { status: { allocatable: { pods: '1' } } })],
    { a: [aPod('q')] },
    noFit('1 Too many pods'),
  ],
  [
    'a host port that is taken (7-040)',
    aPod('p', onPort(80)),
    [a],
    { a: [aPod('q', onPort(80))] },
    noFit("1 node(s) didn't have free ports for the requested pod ports"),
  ],
  [
    'a host port on another address',
    aPod('p', onPort(80, '10.0.0.1')),
    [a],
    { a: [aPod('q', onPort(80, '10.0.0.2'))] },
    'a',
  ],
  ['a host port on all addresses', aPod('p', onPort(80, '10.0.0.1')), [a, b], { a: [aPod('q', onPort(80))] }, 'b'],
  ['a host port of another protocol', aPod('p', onPort(53, '', 'UDP')), [a], { a: [aPod('q', onPort(53))] }, 'a'],
  ['pod affinity', labelled('p', 'x', near('podAffinity', 'db')), [a, b], { b: [labelled('q', 'db')] }, 'b'],
  [
    'pod affinity to nobody',
    labelled('p', 'x', near('podAffinity', 'db')),
    [a],
    {},
    noFit("1 node(s) didn't match pod affinity rules"),
  ],
  ['pod affinity to itself, being the first', labelled('p', 'x', near('podAffinity', 'x')), [a], {}, 'a'],
  ['pod anti-affinity', labelled('p', 'x', near('podAntiAffinity', 'x')), [a, b], { a: [labelled('q', 'x')] }, 'b'],
  [
    'anti-affinity of a Pod already there',
    labelled('p', 'x'),
    [a, b],
    { a: [labelled('q', 'y', near('podAntiAffinity', 'x'))] },
    'b',
  ],
  ['topology spread', labelled('p', 'x', spread), [a, b], { a: [labelled('q', 'x')] }, 'b'],
  [
    'topology spread that cannot be',
    labelled('p', 'x', { ...spread, ...asking({ cpu: '1' }) }),
    [a, b],
    { a: [labelled('q', 'x')], b: [aPod('big', asking({ cpu: '2' }))] },
    noFit("1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints", 2),
  ],
  [
    'several reasons, counted and in order',
    aPod('p', asking({ cpu: '3' })),
    [a, b, tainted],
    {},
    noFit('1 node(s) had untolerated taint {gpu: yes}, 2 Insufficient cpu', 3),
  ],
  ['the emptier Node', aPod('p'), [a, b], { a: [aPod('q', asking({ cpu: '500m' }))] }, 'b'],
];
for (const [name, pod, nodes, pods, expected] of table) {
  test(`${name}: ${expected}`, () => {
    const decision = decide(pod, around(nodes, pods));
    assert.equal('node' in decision ? decision.node : decision.unschedulable, expected);
  });
}

test('preferred node affinity decides between Nodes that fit', () => {
  const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
  const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference }] } };
  assert.deepEqual(decide(aPod('p', { affinity }), around([a, ssd])), { node: 'ssd' });
});

test('Pods of one controller spread, even onto the fuller Node', () => {
  const owned = (name: string) =>
    aPod(name, asking({ cpu: '100m' }), {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
    });
  const pods = { a: [owned('q')], b: [aPod('other', asking({ cpu: '600m' }))] };
  assert.deepEqual(decide(owned('p'), around([a, b], pods)), { node: 'b' });
});

test('a Pod asks for the most it needs at any moment', () => {
  const part = (cpu: string, restartPolicy?: string) => ({
    name: cpu,
    image: 'i',
    resources: { requests: { cpu } },
    ...(restartPolicy && { restartPolicy }),
  });
  const pod = aPod('p', {
    initContainers: [part('100m', 'Always'), part('2')],
    containers: [part('500m'), { name: 'l', image: 'i', resources: { limits: { cpu: '1' } } }],
    overhead: { cpu: '50m' },
  });
  assert.equal(podRequests(pod).get('cpu'), 2150);
});

test('a Pod on the host network takes all its container ports (7-039)', () => {
  const pod = aPod('p', { hostNetwork: true, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] });
  assert.deepEqual(hostPorts(pod), [{ ip: '0.0.0.0', protocol: 'TCP', port: 80 }]);
});
