import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';
import type { KubeObject, Service } from '../../api/types.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const SERVICES = '/api/v1/namespaces/default/services';
const port = { name: 'http', port: 80 };

async function create(name: string, spec: object, query = {}) {
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [port], ...spec } };
  return await api.request('POST', SERVICES, { body, query });
}
async function put(name: string, change: (service: Service) => void) {
  const { json } = await api.request('GET', `${SERVICES}/${name}`);
  change(json);
  return await api.request('PUT', `${SERVICES}/${name}`, { body: json });
}
const addresses = async () =>
  (await api.request('GET', '/apis/networking.k8s.io/v1/ipaddresses')).json.items.map(
    ({ metadata }: KubeObject) => metadata.name,
  );

test('the kubernetes Service has the first address, and an IPAddress of its own (1-098, 1-105)', async () => {
  const { json } = await api.request('GET', `${SERVICES}/kubernetes`);
  assert.equal(json.spec.clusterIP, '10.96.0.1');
  const claimed = await api.request('GET', '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.1');
  assert.deepEqual(claimed.json.spec.parentRef, {
    group: '',
    resource: 'services',
    namespace: 'default',
    name: 'kubernetes',
  });
  assert.equal(claimed.json.metadata.labels['ipaddress.kubernetes.io/managed-by'], 'ipallocator.k8s.io');
});

test('a Service gets an address of the upper band and its IPAddress in the same revision; both go together', async () => {
  const { json, status } = await create('plain', {});
  assert.equal(status, 201);
  const ip = json.spec.clusterIP as string;
  const [, , third, fourth] = ip.split('.').map(Number);
  assert.ok((third ?? 0) * 256 + (fourth ?? 0) > 256, ip);
  assert.deepEqual(json.spec.clusterIPs, [ip]);
  const claimed = await api.request('GET', `/apis/networking.k8s.io/v1/ipaddresses/${ip}`);
  assert.equal(claimed.json.metadata.resourceVersion, json.metadata.resourceVersion);
  await api.request('DELETE', `${SERVICES}/plain`);
  assert.ok(!(await addresses()).includes(ip));
});

const refusals: [what: string, spec: object, message: string][] = [
  [
    'an address outside the range',
    { clusterIP: '10.1.1.1' },
    'Service "bad" is invalid: spec.clusterIPs: Invalid value: ["10.1.1.1"]: failed to allocate IP 10.1.1.1: the provided IP (10.1.1.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
  ],
  [
    'the network address',
    { clusterIP: '10.96.0.0' },
    'Service "bad" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
  ],
  [
    'an address in use',
    { clusterIP: '10.96.0.1' },
    'Service "bad" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already allocated',
  ],
  [
    'a node port outside the range',
    { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
    'Service "bad" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
  [
    'dual stack on a single-stack cluster',
    { ipFamilyPolicy: 'RequireDualStack' },
    'Service "bad" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  ],
  [
    'a family that is not configured',
    { ipFamilies: ['IPv6'] },
    'Service "bad" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  ],
];
for (const [what, spec, message] of refusals) {
  test(`${what} is refused, and nothing is stored`, async () => {
    const before = await addresses();
    const { status, json } = await create('bad', spec);
    assert.equal(status, 422);
    assert.equal(json.message, message);
    assert.equal((await api.request('GET', `${SERVICES}/bad`)).status, 404);
    assert.deepEqual(await addresses(), before);
  });
}

test('an explicit node port that is taken is refused whatever the protocol, and free again after the delete (1-121, 1-124, 1-125)', async () => {
  const spec = { type: 'NodePort', ports: [{ port: 80, nodePort: 30380 }] };
  assert.equal((await create('np', spec)).status, 201);
  const clash = await create('np2', { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30380 }] });
  assert.equal(
    clash.json.message,
    'Service "np2" is invalid: spec.ports[0].nodePort: Invalid value: 30380: provided port is already allocated to Service default/np',
  );
  await api.request('DELETE', `${SERVICES}/np`);
  assert.equal((await create('np2', spec)).status, 201);
  await api.request('DELETE', `${SERVICES}/np2`);
});

test('one number serves two protocols of one port on create (1-065)', async () => {
  const ports = [
    { name: 'tcp', port: 53, protocol: 'TCP' },
    { name: 'udp', port: 53, protocol: 'UDP' },
    { name: 'other', port: 80 },
  ];
  const { json } = await create('dns', { type: 'NodePort', ports });
  const [tcp, udp, other] = (json as Service).spec.ports?.map(({ nodePort }) => nodePort) ?? [];
  assert.equal(tcp, udp);
  assert.notEqual(tcp, other);
  await api.request('DELETE', `${SERVICES}/dns`);
});

test('an update keeps what it leaves out, and gives back what it drops (1-035, 1-063, 1-024)', async () => {
  const made = await create('keep', { type: 'NodePort' });
  const { clusterIP, ports } = made.json.spec;
  const body = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'keep' },
    spec: { type: 'NodePort', ports: [port] },
  };
  const replaced = await api.request('PUT', `${SERVICES}/keep`, { body });
  assert.equal(replaced.json.spec.clusterIP, clusterIP);
  assert.equal(replaced.json.spec.ports[0].nodePort, ports[0].nodePort);
  const plain = await put('keep', ({ spec }) => {
    spec.type = 'ClusterIP';
  });
  assert.equal(plain.status, 200, plain.text);
  assert.equal(plain.json.spec.ports[0].nodePort, undefined);
  const taker = await create('taker', { type: 'NodePort', ports: [{ port: 80, nodePort: ports[0].nodePort }] });
  assert.equal(taker.status, 201, taker.text);
  await api.request('DELETE', `${SERVICES}/taker`);
  await api.request('DELETE', `${SERVICES}/keep`);
});

test('to ExternalName and back: the address is released and another given (1-022, 1-023)', async () => {
  const made = await create('ext', {});
  const ip = made.json.spec.clusterIP;
  const external = await put('ext', ({ spec }) => {
    Object.assign(spec, { type: 'ExternalName', externalName: 'a.b' });
  });
  assert.equal(external.json.spec.clusterIP, undefined, external.text);
  assert.ok(!(await addresses()).includes(ip));
  const back = await put('ext', ({ spec }) => {
    Object.assign(spec, { type: 'ClusterIP', externalName: undefined });
  });
  assert.match(back.json.spec.clusterIP, /^10\.96\./);
  assert.ok((await addresses()).includes(back.json.spec.clusterIP));
  await api.request('DELETE', `${SERVICES}/ext`);
});

test('cluster IPs do not change once set (1-034)', async () => {
  await create('fixed', {});
  const { status, json } = await put('fixed', (service) => {
    service.spec.clusterIP = '10.96.77.77';
    service.spec.clusterIPs = ['10.96.77.77'];
  });
  assert.equal(status, 422);
  assert.match(json.message, /spec\.clusterIPs\[0\]: Invalid value: .*may not change once set/);
  await api.request('DELETE', `${SERVICES}/fixed`);
});

test('a load balancer with local traffic gets a health check port of its own (1-077)', async () => {
  const { json } = await create('lb', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
  const { healthCheckNodePort, ports } = json.spec;
  assert.ok(healthCheckNodePort >= 30000 && healthCheckNodePort <= 32767 && healthCheckNodePort !== ports[0].nodePort);
  const clash = await create('np', { type: 'NodePort', ports: [{ port: 80, nodePort: healthCheckNodePort }] });
  assert.equal(clash.status, 422);
  await api.request('DELETE', `${SERVICES}/lb`);
});

test('headless Services take no address (1-017, 1-050)', async () => {
  const before = await addresses();
  const { json } = await create('headless', { clusterIP: 'None', selector: { a: 'b' } });
  assert.deepEqual([json.spec.clusterIP, json.spec.clusterIPs, json.spec.ipFamilies], ['None', ['None'], ['IPv4']]);
  const bare = await create('bare', { clusterIP: 'None' });
  assert.deepEqual(bare.json.spec.ipFamilies, ['IPv4', 'IPv6']);
  assert.deepEqual(await addresses(), before);
  await api.request('DELETE', `${SERVICES}/headless`);
  await api.request('DELETE', `${SERVICES}/bare`);
});

test('a dry run takes nothing: the base address stands for some address (1-103)', async () => {
  const before = await addresses();
  const { json, status } = await create('dry', { type: 'NodePort' }, { dryRun: 'All' });
  assert.equal(status, 201);
  assert.equal(json.spec.clusterIP, '10.96.0.0');
  assert.deepEqual(await addresses(), before);
  assert.equal((await api.request('GET', `${SERVICES}/dry`)).status, 404);
});

test('deleting a Service deletes the Endpoints of the same name in the same revision (1-109)', async () => {
  await create('with-endpoints', {});
  const body = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'with-endpoints' } };
  await api.request('POST', '/api/v1/namespaces/default/endpoints', { body });
  await api.request('DELETE', `${SERVICES}/with-endpoints`);
  assert.equal((await api.request('GET', '/api/v1/namespaces/default/endpoints/with-endpoints')).status, 404);
});

test('a range used up answers 500 and an address given back is used again (1-102)', async () => {
  const small = await startTestApi({ serviceClusterIpRange: '10.9.0.0/29' });
  const make = (name: string) =>
    small.request('POST', SERVICES, {
      body: { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [port] } },
    });
  const made = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(make));
  assert.deepEqual([...new Set(made.map((each) => each.json.spec.clusterIP))].length, 5);
  const full = await make('f');
  assert.equal(full.status, 500);
  assert.match(full.json.message, /failed to allocate a serviceIP for Service default\/f: range is full/);
  await small.request('DELETE', `${SERVICES}/c`);
  assert.equal((await make('f')).json.spec.clusterIP, made[2]?.json.spec.clusterIP);
  await small.stop();
});

test('concurrent Services that ask for one node port: exactly one gets it', async () => {
  const spec = { type: 'NodePort', ports: [{ port: 80, nodePort: 31111 }] };
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => create(`race-${String(index)}`, spec)));
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  assert.equal(answers.filter(({ status }) => status === 422).length, 7);
});

test('a dual-stack cluster gives both families, and takes the second back (1-043, 1-047, 1-048)', async () => {
  const dual = await startTestApi({ serviceClusterIpRange: '10.96.0.0/16,fd00:96::/112' });
  const body = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'both' },
    spec: { ports: [port], ipFamilyPolicy: 'PreferDualStack' },
  };
  const made = await dual.request('POST', SERVICES, { body });
  assert.deepEqual(made.json.spec.ipFamilies, ['IPv4', 'IPv6']);
  assert.match(made.json.spec.clusterIPs[1], /^fd00:96::/);
  const { spec } = made.json;
  const single = await dual.request('PUT', `${SERVICES}/both`, {
    body: { ...made.json, spec: { ...spec, ipFamilyPolicy: 'SingleStack' } },
  });
  assert.deepEqual(single.json.spec.clusterIPs, [spec.clusterIP], single.text);
  const again = await dual.request('PATCH', `${SERVICES}/both`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { ipFamilyPolicy: 'RequireDualStack' } },
  });
  assert.equal(again.json.spec.clusterIPs.length, 2, again.text);
  await dual.stop();
});

test('numbers an ExternalName names are not its own, and it brings none along that another Service has', async () => {
  const owner = await create('has-number', { type: 'NodePort', ports: [{ ...port, nodePort: 31777 }] });
  assert.equal(owner.status, 201, owner.text);
  const spec = { type: 'ExternalName', externalName: 'a.example', ports: [{ ...port, nodePort: 31777 }] };
  assert.equal((await create('wants-number', spec)).status, 201);
  const taken = await put('wants-number', (service) => {
    service.spec.type = 'NodePort';
  });
  assert.equal(taken.status, 422, taken.text);
  assert.match(taken.json.message, /provided port is already allocated to Service default\/has-number$/);
  for (const name of ['has-number', 'wants-number']) await api.request('DELETE', `${SERVICES}/${name}`);
});
