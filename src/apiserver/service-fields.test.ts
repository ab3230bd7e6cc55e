/** Rows of section 1 of the feature matrix through real requests; what needs no server is proved beside `src/api`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../test/support/api.ts';
import { sharedStore } from '../../test/support/shared-store.ts';
import { EVENTS } from '../api/kinds.ts';
import type { Service } from '../api/types.ts';
import { createMemoryStore } from '../store/memory.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const NETWORKING = '/apis/networking.k8s.io/v1';
const merge = { 'content-type': 'application/merge-patch+json' };
const ports = [{ name: 'http', port: 80 }];

let single: TestApi;
let dual: TestApi;
before(async () => {
  single = await startTestApi();
  dual = await startTestApi({ serviceClusterIpRange: '10.96.0.0/16,fd00:96::/112' });
});
after(async () => {
  await single.stop();
  await dual.stop();
});

const create = (api: TestApi, name: string, spec: object, more: object = {}) =>
  api.request('POST', SERVICES, { body: { metadata: { name }, spec: { ports, ...spec }, ...more } });
const read = async (api: TestApi, name: string): Promise<Service> =>
  (await api.request('GET', `${SERVICES}/${name}`)).json as Service;
const patch = (api: TestApi, name: string, body: object) =>
  api.request('PATCH', `${SERVICES}/${name}`, { headers: merge, body });
const addresses = async (api: TestApi): Promise<string[]> =>
  (await api.request('GET', `${NETWORKING}/ipaddresses`)).json.items.map((each: Service) => each.metadata.name);
const warnings = ({ headers }: TestAnswer): string[] =>
  [headers['warning'] ?? []].flat().map((text) => text.replace(/^299 - "(.*)"$/, '$1').replaceAll('\\"', '"'));

async function made(api: TestApi, name: string, spec: object): Promise<Service> {
  const answer = await create(api, name, spec);
  assert.equal(answer.status, 201, answer.text);
  return answer.json as Service;
}

/** PUT of a changed copy. */
async function put(api: TestApi, name: string, change: (spec: Service['spec']) => void): Promise<TestAnswer> {
  const body = structuredClone(await read(api, name));
  change(body.spec);
  return await api.request('PUT', `${SERVICES}/${name}`, { body });
}

/** Row, the spec it is made of, what is merged into it, then fields that must be or the message that must come. */
type Transition = [row: string, from: object, to: object, expected: object | string];
const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
const toName = { type: 'ExternalName', externalName: 'a.example' };
const TRANSITIONS: Transition[] = [
  ['1-022 to ExternalName', {}, toName, { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined }],
  ['1-022 to ExternalName, ports and selector kept', { selector: { a: 'b' } }, toName, { selector: { a: 'b' } }],
  [
    '1-022 to ExternalName with another address',
    {},
    { ...toName, clusterIP: '10.96.7.7' },
    'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
  ],
  ['1-023 from ExternalName to NodePort', toName, { type: 'NodePort', externalName: null }, { type: 'NodePort' }],
  [
    '1-023 from ExternalName without ports',
    { ...toName, ports: [] },
    { type: 'ClusterIP', externalName: null },
    'spec.ports: Required value',
  ],
  ['1-024 NodePort to ClusterIP', { type: 'NodePort' }, { type: 'ClusterIP' }, { externalTrafficPolicy: undefined }],
  [
    '1-024 NodePort to ClusterIP, one port dropped on the way',
    {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 2 },
      ],
    },
    { type: 'ClusterIP', ports: [{ name: 'a', port: 1 }] },
    { type: 'ClusterIP' },
  ],
  [
    '1-025 LoadBalancer to NodePort',
    { type: 'LoadBalancer', loadBalancerClass: 'a/b' },
    { type: 'NodePort' },
    { loadBalancerClass: undefined, allocateLoadBalancerNodePorts: undefined, externalTrafficPolicy: 'Cluster' },
  ],
  [
    '1-026 Local to Cluster frees the health check port',
    local,
    { externalTrafficPolicy: 'Cluster' },
    {
      healthCheckNodePort: undefined,
    },
  ],
  [
    '1-026 LoadBalancer to ClusterIP',
    local,
    { type: 'ClusterIP' },
    {
      healthCheckNodePort: undefined,
      externalTrafficPolicy: undefined,
    },
  ],
  [
    '1-028 source ranges stay and are refused',
    { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] },
    { type: 'ClusterIP' },
    "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
  ],
  [
    '1-028 other fields stay',
    { type: 'NodePort', sessionAffinity: 'ClientIP', loadBalancerIP: '1.2.3.4' },
    {
      type: 'ClusterIP',
    },
    { sessionAffinity: 'ClientIP', loadBalancerIP: '1.2.3.4' },
  ],
  [
    '1-036 headful to headless',
    {},
    { clusterIP: 'None' },
    'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set',
  ],
  ['1-036 headless to headful', { clusterIP: 'None' }, { clusterIP: '10.96.8.8' }, 'may not change once set'],
  [
    '1-037 headless families change',
    { clusterIP: 'None', selector: { a: 'b' } },
    {
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'PreferDualStack',
    },
    { ipFamilyPolicy: 'PreferDualStack' },
  ],
  [
    '1-074 traffic policies change',
    { type: 'NodePort' },
    { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    {
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
    },
  ],
  [
    '1-075 internalTrafficPolicy null is Cluster again',
    { internalTrafficPolicy: 'Local' },
    { internalTrafficPolicy: null },
    {
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    '1-076 trafficDistribution changes',
    { trafficDistribution: 'PreferClose' },
    { trafficDistribution: 'PreferSameNode' },
    {
      trafficDistribution: 'PreferSameNode',
    },
  ],
  ['1-078 the health check port is kept when left out', local, { healthCheckNodePort: null }, local],
  [
    '1-078 the health check port does not change',
    local,
    { healthCheckNodePort: 32001 },
    'spec.healthCheckNodePort: Forbidden: field is immutable',
  ],
  ['1-079 publishNotReadyAddresses', {}, { publishNotReadyAddresses: true }, { publishNotReadyAddresses: true }],
  [
    '1-080 loadBalancerIP changes',
    { type: 'LoadBalancer', loadBalancerIP: '1.2.3.4' },
    { loadBalancerIP: 'any text' },
    {
      loadBalancerIP: 'any text',
    },
  ],
  [
    '1-082 a class may come with the type',
    {},
    { type: 'LoadBalancer', loadBalancerClass: 'a/b' },
    { loadBalancerClass: 'a/b' },
  ],
  [
    '1-082 a class may not come later',
    { type: 'LoadBalancer' },
    { loadBalancerClass: 'a/b' },
    'may not change once set',
  ],
  [
    '1-082 a class may not go',
    { type: 'LoadBalancer', loadBalancerClass: 'a/b' },
    { loadBalancerClass: null },
    'spec.loadBalancerClass: Invalid value: null: may not change once set',
  ],
  [
    '1-083 not for NodePort',
    { type: 'NodePort' },
    { allocateLoadBalancerNodePorts: true },
    'spec.allocateLoadBalancerNodePorts: Forbidden',
  ],
  ['1-066 a selector goes', { selector: { a: 'b' } }, { selector: null }, { selector: undefined }],
  [
    '1-068 no affinity, no config',
    { sessionAffinity: 'ClientIP' },
    { sessionAffinity: 'None' },
    {
      sessionAffinityConfig: undefined,
    },
  ],
];
for (const [index, [row, from, to, expected]] of TRANSITIONS.entries()) {
  test(row, async () => {
    const name = `transition-${String(index)}`;
    const before = await made(single, name, from);
    const answer = await patch(single, name, { spec: to });
    if (typeof expected === 'string') {
      assert.equal(answer.status, 422, answer.text);
      assert.ok(answer.json.message.includes(expected), answer.json.message);
      assert.deepEqual(await read(single, name), before, 'a refused change changes nothing');
    } else {
      assert.equal(answer.status, 200, answer.text);
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(answer.json.spec[field], value, field);
    }
    await single.request('DELETE', `${SERVICES}/${name}`);
  });
}

const WARNED: [row: string, spec: object, annotations: Record<string, string>, texts: string[]][] = [
  [
    '1-071',
    { externalIPs: ['1.2.3.4'] },
    {},
    ['spec.externalIPs is deprecated and may no longer be implemented in some clusters'],
  ],
  [
    '1-085 headless',
    { clusterIP: 'None', externalIPs: ['1.2.3.4'], sessionAffinity: 'ClientIP', loadBalancerIP: '1.2.3.4' },
    {},
    [
      'spec.loadBalancerIP is ignored for headless services',
      'spec.externalIPs is ignored for headless services',
      'spec.SessionAffinity is ignored for headless services',
    ],
  ],
  [
    '1-070 ExternalName',
    { ...toName, externalIPs: ['1.2.3.4'] },
    {},
    ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
  ],
  ['1-084', { externalName: 'a.b' }, {}, ['spec.externalName is ignored when spec.type is not "ExternalName"']],
  [
    '1-076',
    { trafficDistribution: 'PreferClose' },
    {},
    ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
  ],
  [
    '1-086',
    {},
    { 'service.kubernetes.io/topology-aware-hints': 'Auto' },
    [
      'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
    ],
  ],
  [
    '1-080 leading zeros',
    { type: 'LoadBalancer', loadBalancerIP: '10.096.0.1' },
    {},
    [
      'spec.loadBalancerIP: non-standard IP address "10.096.0.1" will be considered invalid in a future Kubernetes release: use "10.96.0.1"',
    ],
  ],
  [
    '1-080 mapped',
    { type: 'LoadBalancer', loadBalancerIP: '::ffff:10.96.0.1' },
    {},
    [
      'spec.loadBalancerIP: non-standard IP address "::ffff:10.96.0.1" will be considered invalid in a future Kubernetes release: use "10.96.0.1"',
    ],
  ],
  [
    '1-080 not canonical',
    { type: 'LoadBalancer', loadBalancerIP: '2001:db8:0:0::2' },
    {},
    ['spec.loadBalancerIP: IPv6 address "2001:db8:0:0::2" should be in RFC 5952 canonical format ("2001:db8::2")'],
  ],
  [
    '1-081',
    { type: 'LoadBalancer', loadBalancerSourceRanges: ['2001:db8:0:0::/64'] },
    {},
    [
      'spec.loadBalancerSourceRanges[0]: IPv6 CIDR value "2001:db8:0:0::/64" should be in RFC 5952 canonical format ("2001:db8::/64")',
    ],
  ],
  ['nothing', { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] }, {}, []],
];
for (const [index, [row, spec, annotations, texts]] of WARNED.entries()) {
  test(`warnings: ${row}`, async () => {
    const body = { metadata: { name: `warned-${String(index)}`, annotations }, spec: { ports, ...spec } };
    const answer = await single.request('POST', SERVICES, { body });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(warnings(answer), texts);
  });
}

test('POST ignores a status, /status ignores a spec, and a Service keeps no generation (1-002, 1-004, 1-005, 1-014)', async () => {
  const status = { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } };
  const answer = await create(single, 'status', { type: 'LoadBalancer' }, { status });
  assert.deepEqual(answer.json.status, { loadBalancer: {} });
  assert.equal(answer.json.metadata.generation, undefined);
  const changed = { ...answer.json, spec: { ...answer.json.spec, selector: { a: 'b' } }, status };
  const written = await single.request('PUT', `${SERVICES}/status/status`, { body: changed });
  assert.equal(written.json.spec.selector, undefined);
  assert.deepEqual(written.json.status.loadBalancer.ingress, [{ ip: '1.2.3.4', ipMode: 'VIP' }]);
  const main = await patch(single, 'status', { status: { loadBalancer: null }, spec: { selector: { a: 'b' } } });
  assert.deepEqual(main.json.status, written.json.status);
  const plain = await patch(single, 'status', { spec: { type: 'ClusterIP' } });
  assert.deepEqual(plain.json.status, { loadBalancer: {} }, 'no longer a load balancer (1-025)');
  const refused = await single.request('PATCH', `${SERVICES}/status/status`, { headers: merge, body: { status } });
  assert.match(refused.json.message, /may only be used when `spec.type` is 'LoadBalancer'/);
  assert.equal((await single.request('PUT', `${SERVICES}/none/status`, { body: changed })).status, 400);
  assert.equal((await single.request('DELETE', `${SERVICES}/status/status`)).status, 405);
});

test('ports of an ingress entry tell their errors, conditions are kept (1-093, 1-094)', async () => {
  await made(single, 'mixed', { type: 'LoadBalancer' });
  const write = (error: string) =>
    single.request('PATCH', `${SERVICES}/mixed/status`, {
      headers: merge,
      body: {
        status: {
          conditions: [
            {
              type: 'LoadBalancerPortsError',
              status: 'True',
              reason: 'LoadBalancerMixedProtocolNotSupported',
              message: '',
              lastTransitionTime: '2026-11-20T12:00:00Z',
            },
          ],
          loadBalancer: { ingress: [{ ip: '1.2.3.4', ports: [{ port: 80, protocol: 'TCP', error }] }] },
        },
      },
    });
  const answer = await write('MixedProtocolNotSupported');
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.status.loadBalancer.ingress[0].ports[0].error, 'MixedProtocolNotSupported');
  assert.equal(answer.json.status.conditions[0].reason, 'LoadBalancerMixedProtocolNotSupported');
});

test('PUT creates, an empty resourceVersion is no condition, DELETE answers the object (1-006 to 1-008)', async () => {
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'put' }, spec: { ports } };
  const first = await single.request('PUT', `${SERVICES}/put`, { body });
  assert.deepEqual([first.status, first.json.spec.type], [201, 'ClusterIP']);
  assert.equal(
    (await single.request('PUT', `${SERVICES}/put`, { body })).json.spec.clusterIP,
    first.json.spec.clusterIP,
  );
  const gone = await single.request('DELETE', `${SERVICES}/put`);
  assert.deepEqual([gone.status, gone.json.kind, gone.json.metadata.uid], [200, 'Service', first.json.metadata.uid]);
});

test('deletecollection with a selector takes what matches, and gives the addresses back (1-009, 1-107)', async () => {
  for (const name of ['many-a', 'many-b', 'many-c']) {
    const labels = { group: name === 'many-c' ? 'stay' : 'go' };
    await single.request('POST', SERVICES, { body: { metadata: { name, labels }, spec: { ports } } });
  }
  const before = await addresses(single);
  const answer = await single.request('DELETE', SERVICES, { query: { labelSelector: 'group=go' } });
  assert.equal(answer.json.items.length, 2);
  assert.equal((await addresses(single)).length, before.length - 2);
  assert.equal((await read(single, 'many-c')).metadata.name, 'many-c');
});

test('Services are selected by name, namespace, cluster IP and type, and by nothing else (1-010)', async () => {
  const { spec } = await made(single, 'selected', { type: 'NodePort' });
  const list = async (fieldSelector: string) => await single.request('GET', SERVICES, { query: { fieldSelector } });
  for (const selector of [`spec.clusterIP=${spec.clusterIP ?? ''}`, 'metadata.name=selected,spec.type==NodePort']) {
    const { json } = await list(selector);
    assert.deepEqual(
      json.items.map((each: Service) => each.metadata.name),
      ['selected'],
      selector,
    );
  }
  assert.ok(!(await list('spec.type!=NodePort')).text.includes('"selected"'));
  const other = await list('spec.sessionAffinity=None');
  assert.equal(other.status, 400);
  assert.match(other.json.message, /field label not supported/);
});

test('names: a digit may lead, capitals and 64 letters may not; generateName makes five letters (1-011, 1-012)', async () => {
  assert.equal((await create(single, '1st', {})).status, 201);
  for (const name of ['First', 'a'.repeat(64), 'a.b', '-a'])
    assert.equal((await create(single, name, {})).status, 422, name);
  const { json } = await single.request('POST', SERVICES, {
    body: { metadata: { generateName: 'gen-' }, spec: { ports } },
  });
  assert.match(json.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('on an update every port gets a number of its own; shared ones stay shared (1-027, 1-063, 1-065)', async () => {
  const both = [
    { name: 'tcp', port: 53, protocol: 'TCP' },
    { name: 'udp', port: 53, protocol: 'UDP' },
  ];
  await made(single, 'later', { ports: both });
  const later = await patch(single, 'later', { spec: { type: 'NodePort' } });
  const [first, second] = later.json.spec.ports;
  assert.notEqual(first.nodePort, second.nodePort);
  const shared = await made(single, 'shared', { type: 'NodePort', ports: both });
  const answer = await put(single, 'shared', (spec) => {
    spec.ports = structuredClone(both);
  });
  assert.deepEqual(answer.json.spec.ports, shared.spec.ports);
  const named = await made(single, 'named', {
    type: 'NodePort',
    ports: [both[0], { ...both[1], nodePort: 30053 }, { name: 'twin', port: 54, nodePort: 30053 }],
  });
  assert.deepEqual(
    named.spec.ports?.map(({ nodePort }) => nodePort),
    [30053, 30053, 30053],
  );
});

test('without node ports of its own a load balancer keeps the ones it is given (1-064, 1-083)', async () => {
  const spec = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false };
  assert.equal((await made(single, 'lean', spec)).spec.ports?.[0]?.nodePort, undefined);
  const given = await made(single, 'lean-given', { ...spec, ports: [{ port: 80, nodePort: 30066 }] });
  assert.equal(given.spec.ports?.[0]?.nodePort, 30066);
  const usual = await made(single, 'usual', { type: 'LoadBalancer' });
  const flipped = await patch(single, 'usual', { spec: { allocateLoadBalancerNodePorts: false } });
  assert.deepEqual(flipped.json.spec.ports, usual.spec.ports, 'nothing is taken away');
  const released = await put(single, 'usual', (each) => {
    each.ports = [{ port: 80, name: 'other' }];
  });
  assert.equal(released.json.spec.ports[0].nodePort, undefined);
});

test('a health check port is taken as asked, released with the need, and refused when held (1-077, 1-126)', async () => {
  const asked = { ...local, healthCheckNodePort: 31234 };
  assert.equal((await made(single, 'health', asked)).spec.healthCheckNodePort, 31234);
  const clash = await create(single, 'health-2', asked);
  assert.equal(clash.status, 500);
  assert.equal(
    clash.json.message,
    'Internal error occurred: failed to allocate requested HealthCheck NodePort 31234: provided port is already allocated to Service default/health',
  );
  await patch(single, 'health', { spec: { externalTrafficPolicy: 'Cluster' } });
  assert.equal((await made(single, 'health-2', asked)).spec.healthCheckNodePort, 31234);
  const outside = await create(single, 'health-3', { ...local, healthCheckNodePort: 100 });
  assert.match(outside.json.message, /HealthCheck NodePort 100: provided port is not in the valid range/);
});

test('dual stack: what each policy and list gives (1-038 to 1-046)', async () => {
  const cases: [name: string, spec: object, policy: string, families: string[]][] = [
    ['plain', {}, 'SingleStack', ['IPv4']],
    ['v6', { ipFamilies: ['IPv6'] }, 'SingleStack', ['IPv6']],
    ['prefer', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack', ['IPv4', 'IPv6']],
    ['require-v6', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, 'RequireDualStack', ['IPv6', 'IPv4']],
    ['asked', { clusterIP: 'fd00:96::77', ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack', ['IPv6', 'IPv4']],
    [
      'headless',
      { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack', selector: { a: 'b' } },
      'PreferDualStack',
      ['IPv4', 'IPv6'],
    ],
    ['bare', { clusterIP: 'None' }, 'RequireDualStack', ['IPv4', 'IPv6']],
  ];
  for (const [name, spec, policy, families] of cases) {
    const { spec: got } = await made(dual, name, spec);
    assert.deepEqual([got.ipFamilyPolicy, got.ipFamilies], [policy, families], name);
    const kinds = (got.clusterIPs ?? []).map((each) => (each === 'None' ? each : each.includes(':') ? 'IPv6' : 'IPv4'));
    assert.deepEqual(kinds, got.clusterIP === 'None' ? ['None'] : families, name);
    assert.equal(got.clusterIP, got.clusterIPs?.[0]);
  }
});

test('dual stack: the second address comes and goes with the policy, and only with it (1-047 to 1-049)', async () => {
  const { spec } = await made(dual, 'moves', {});
  const upgraded = await patch(dual, 'moves', {
    spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] },
  });
  const [first, second] = upgraded.json.spec.clusterIPs as string[];
  assert.equal(first, spec.clusterIP);
  assert.ok((await addresses(dual)).includes(second ?? ''));
  const reduced = await patch(dual, 'moves', { spec: { clusterIPs: [first] } });
  assert.equal(
    reduced.json.message,
    'Service "moves" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be \'SingleStack\' to release the secondary cluster IP',
  );
  const swapped = await patch(dual, 'moves', { spec: { clusterIPs: [first, 'fd00:96::99'] } });
  assert.match(swapped.json.message, /spec.clusterIPs\[1\]: Invalid value: .*may not change once set/);
  const down = await patch(dual, 'moves', { spec: { ipFamilyPolicy: 'SingleStack' } });
  assert.deepEqual([down.json.spec.clusterIPs, down.json.spec.ipFamilies], [[first], ['IPv4']]);
  assert.ok(!(await addresses(dual)).includes(second ?? ''));
  const asked = await patch(dual, 'moves', {
    spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'], clusterIPs: [first, 'fd00:96::42'] },
  });
  assert.deepEqual(asked.json.spec.clusterIPs, [first, 'fd00:96::42'], asked.text);
});

test('a PUT as an old client sends it keeps both addresses (1-035, 1-041)', async () => {
  const before = await made(dual, 'old-client', { ipFamilyPolicy: 'PreferDualStack' });
  const answer = await put(dual, 'old-client', (spec) => {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) delete spec[field];
  });
  assert.deepEqual(answer.json.spec, before.spec);
});

test('a Service held by a finalizer keeps its addresses until it goes, also through /status (1-108)', async () => {
  const body = { metadata: { name: 'held', finalizers: ['a.example/b'] }, spec: { type: 'NodePort', ports } };
  const { spec } = (await single.request('POST', SERVICES, { body })).json as Service;
  assert.equal((await single.request('DELETE', `${SERVICES}/held`)).status, 202);
  assert.ok((await addresses(single)).includes(spec.clusterIP ?? ''));
  const port = [{ port: 80, nodePort: spec.ports?.[0]?.nodePort }];
  assert.equal((await create(single, 'after', { type: 'NodePort', ports: port })).status, 422);
  const freed = await single.request('PATCH', `${SERVICES}/held/status`, {
    headers: merge,
    body: { metadata: { finalizers: null } },
  });
  assert.equal(freed.status, 200, freed.text);
  assert.ok(!(await addresses(single)).includes(spec.clusterIP ?? ''));
  assert.equal((await create(single, 'after', { type: 'NodePort', ports: port })).status, 201);
});

const RANGES: [row: string, kind: string, body: object, message: string][] = [
  [
    '1-112 no range',
    'servicecidrs',
    { metadata: { name: 'x' }, spec: {} },
    'spec.cidrs: Required value: at least one CIDR required',
  ],
  [
    '1-112 host bits',
    'servicecidrs',
    { metadata: { name: 'x' }, spec: { cidrs: ['10.1.1.1/8'] } },
    'must not have bits set beyond the prefix length',
  ],
  [
    '1-112 two of a family',
    'servicecidrs',
    { metadata: { name: 'x' }, spec: { cidrs: ['10.0.0.0/8', '11.0.0.0/8'] } },
    'may specify no more than one IP for each IP family',
  ],
  ['1-118 no parent', 'ipaddresses', { metadata: { name: '10.96.9.9' } }, 'spec.parentRef: Required value'],
  [
    '1-118 not canonical',
    'ipaddresses',
    { metadata: { name: 'fd00:0::1' }, spec: { parentRef: { resource: 'services', name: 'a' } } },
    'must be in canonical form ("fd00::1")',
  ],
  [
    '1-118 no resource',
    'ipaddresses',
    { metadata: { name: '10.96.9.9' }, spec: { parentRef: { name: 'a' } } },
    'spec.parentRef.resource: Required value',
  ],
];
for (const [row, resource, body, message] of RANGES) {
  test(`refused: ${row}`, async () => {
    const answer = await single.request('POST', `${NETWORKING}/${resource}`, { body });
    assert.equal(answer.status, 422, answer.text);
    assert.ok(answer.json.message.includes(message), answer.json.message);
  });
}

test('a range may only grow a second family, and an address keeps its parent (1-113, 1-118)', async () => {
  const at = `${NETWORKING}/servicecidrs`;
  await single.request('POST', at, { body: { metadata: { name: 'grow' }, spec: { cidrs: ['10.77.0.0/24'] } } });
  const change = (cidrs: string[]) =>
    single.request('PATCH', `${at}/grow`, { headers: merge, body: { spec: { cidrs } } });
  assert.match((await change(['10.78.0.0/24'])).json.message, /field is immutable/);
  assert.equal((await change(['10.77.0.0/24', 'fd77::/64'])).status, 200);
  assert.match((await change(['10.77.0.0/24'])).json.message, /field is immutable/);
  const body = { spec: { parentRef: { name: 'other' } } };
  const moved = await single.request('PATCH', `${NETWORKING}/ipaddresses/10.96.0.1`, { headers: merge, body });
  assert.match(moved.json.message, /spec.parentRef: Invalid value: .*field is immutable/);
});

test('an address somebody made by hand is not given away (1-106, 1-130)', async () => {
  const parentRef = { resource: 'widgets', group: 'example.com', name: 'mine' };
  await single.request('POST', `${NETWORKING}/ipaddresses`, {
    body: { metadata: { name: '10.96.9.10' }, spec: { parentRef } },
  });
  const answer = await create(single, 'wants', { clusterIP: '10.96.9.10' });
  assert.match(answer.json.message, /provided IP is already allocated/);
});

test('kubectl get ipaddress,servicecidr: the columns (1-119)', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = async (path: string) =>
    (await single.request('GET', `${NETWORKING}/${path}`, { headers: { accept } })).json;
  const ips = await table('ipaddresses/10.96.0.1');
  assert.deepEqual(
    ips.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'ParentRef'],
  );
  assert.deepEqual(ips.rows[0].cells, ['10.96.0.1', 'services/default/kubernetes']);
  const cidrs = await table('servicecidrs/kubernetes');
  assert.deepEqual(
    cidrs.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'CIDRs', 'Age'],
  );
  assert.deepEqual(cidrs.rows[0].cells.slice(0, 2), ['kubernetes', '10.96.0.0/16']);
});

test('default/kubernetes and its endpoints are as every client expects them (1-133, 1-135, 1-136)', async () => {
  const { metadata, spec } = await read(single, 'kubernetes');
  assert.deepEqual(metadata.labels, { component: 'apiserver', provider: 'kubernetes' });
  assert.deepEqual(spec.ports, [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }]);
  assert.deepEqual(
    [spec.type, spec.clusterIP, spec.ipFamilyPolicy, spec.sessionAffinity, spec.selector],
    ['ClusterIP', '10.96.0.1', 'SingleStack', 'None', undefined],
  );
  const endpoints = (await single.request('GET', '/api/v1/namespaces/default/endpoints/kubernetes')).json;
  assert.deepEqual(endpoints.subsets, [
    { addresses: [{ ip: '172.30.0.1' }], ports: [{ name: 'https', port: 6443, protocol: 'TCP' }] },
  ]);
  assert.equal(endpoints.metadata.labels['endpointslice.kubernetes.io/skip-mirror'], 'true');
  const slice = (await single.request('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'))
    .json;
  assert.deepEqual(
    [slice.addressType, slice.endpoints],
    ['IPv4', [{ addresses: ['172.30.0.1'], conditions: { ready: true } }]],
  );
});

test('external IPs can be denied: none may come, those that are there may stay and go (1-072)', async () => {
  const strict = await startTestApi({ admissionPlugins: ['DenyServiceExternalIPs'] });
  const denied = await create(strict, 'denied', { externalIPs: ['192.0.2.1'] });
  assert.deepEqual(
    [denied.status, denied.json.message],
    [403, 'services "denied" is forbidden: Use of external IPs is denied by admission control'],
  );
  await strict.stop();
  const store = createMemoryStore();
  const before = await startTestApi({ store: sharedStore(store) });
  await made(before, 'had', { externalIPs: ['192.0.2.1', '192.0.2.2'] });
  await before.stop();
  const after = await startTestApi({ store, admissionPlugins: ['DenyServiceExternalIPs'] });
  assert.equal((await patch(after, 'had', { spec: { externalIPs: ['192.0.2.2', '192.0.2.3'] } })).status, 403);
  assert.equal((await patch(after, 'had', { spec: { externalIPs: ['192.0.2.2'] } })).status, 200);
  await after.stop();
  await assert.rejects(
    startTestApi({ admissionPlugins: ['Magic'] }),
    /no admission plugin that could be enabled: Magic/,
  );
});

test('/metrics tells what was given and refused, each name explained once (1-127)', async () => {
  const fresh = await startTestApi({ serviceClusterIpRange: '10.96.0.0/24,fd00:96::/112' });
  await made(fresh, 'one', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' });
  await create(fresh, 'two', { clusterIP: '10.96.0.1' });
  await create(fresh, 'three', { type: 'NodePort', ports: [{ port: 80, nodePort: 1 }] });
  const { text } = await fresh.request('GET', '/metrics');
  const lines = text.split('\n').filter((line) => /^kube_apiserver_(clusterip|nodeport)/.test(line));
  assert.deepEqual(lines, [
    'kube_apiserver_clusterip_allocator_allocated_ips{cidr="10.96.0.0/24"} 2',
    'kube_apiserver_clusterip_allocator_allocated_ips{cidr="fd00:96::/112"} 1',
    'kube_apiserver_clusterip_allocator_available_ips{cidr="10.96.0.0/24"} 252',
    'kube_apiserver_clusterip_allocator_available_ips{cidr="fd00:96::/112"} 65534',
    'kube_apiserver_clusterip_allocator_allocation_total{cidr="10.96.0.0/24",scope="static"} 1',
    'kube_apiserver_clusterip_allocator_allocation_total{cidr="10.96.0.0/24",scope="dynamic"} 2',
    'kube_apiserver_clusterip_allocator_allocation_total{cidr="fd00:96::/112",scope="dynamic"} 1',
    'kube_apiserver_clusterip_allocator_allocation_errors_total{cidr="10.96.0.0/24",scope="static"} 1',
    'kube_apiserver_nodeport_allocator_allocated_ports 1',
    'kube_apiserver_nodeport_allocator_available_ports 2767',
    'kube_apiserver_nodeport_allocator_allocation_total{scope="dynamic"} 1',
    'kube_apiserver_nodeport_allocator_allocation_errors_total{scope="static"} 1',
  ]);
  const names = [...text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name);
  assert.equal(new Set(names).size, names.length);
  await fresh.stop();
});

test('a server does not start with an IPv6 range wider than it can share out (1-095, 1-096)', async () => {
  await assert.rejects(startTestApi({ serviceClusterIpRange: 'fd00::/48' }), /fd00::\/48: the shortest allowed prefix/);
  await assert.rejects(
    startTestApi({ serviceClusterIpRange: '10.0.0.0/16,10.1.0.0/16' }),
    /one CIDR, or one of each family/,
  );
});

test('a second range that comes with the flags is added to the ServiceCIDR; a Service then can have both (1-048, 1-116)', async () => {
  const store = createMemoryStore();
  const before = await startTestApi({ store: sharedStore(store) });
  await made(before, 'old', {});
  await before.stop();
  const again = await startTestApi({ store, serviceClusterIpRange: '10.96.0.0/16,fd00:96::/112' });
  const { json } = await again.request('GET', `${NETWORKING}/servicecidrs/kubernetes`);
  assert.deepEqual(json.spec.cidrs, ['10.96.0.0/16', 'fd00:96::/112']);
  const upgraded = await patch(again, 'old', { spec: { ipFamilyPolicy: 'RequireDualStack' } });
  assert.equal(upgraded.json.spec.clusterIPs.length, 2, upgraded.text);
  await again.stop();
});

test('a ServiceCIDR that is not what the flags say is told (1-116)', async () => {
  const store = createMemoryStore();
  const before = await startTestApi({ store: sharedStore(store) });
  await before.stop();
  const again = await startTestApi({ store, serviceClusterIpRange: '10.97.0.0/16' });
  for await (const { object } of again.client.watch(EVENTS, { namespace: 'default' })) {
    if (object.reason !== 'KubernetesDefaultServiceCIDRInconsistent') continue;
    assert.match(object.message ?? '', /\[10.96.0.0\/16\] does not match .* \[10.97.0.0\/16\]/);
    break;
  }
  await again.stop();
});

test('a number range used up answers 500, and the static band is used last (1-122, 1-123)', async () => {
  const small = await startTestApi({ serviceNodePortRange: '30000-30031' });
  const numbers: number[] = [];
  for (let index = 0; index < 32; index++) {
    const { spec } = await made(small, `n${String(index)}`, { type: 'NodePort' });
    numbers.push(spec.ports?.[0]?.nodePort ?? 0);
  }
  assert.ok(
    numbers.slice(0, 16).every((port) => port >= 30016),
    'the upper band first',
  );
  assert.equal(new Set(numbers).size, 32);
  const full = await create(small, 'full', { type: 'NodePort' });
  assert.deepEqual(
    [full.status, full.json.message],
    [500, 'Internal error occurred: failed to allocate a nodePort: range is full'],
  );
  await small.stop();
});
