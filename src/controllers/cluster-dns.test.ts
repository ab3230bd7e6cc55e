import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, ENDPOINTS, ENDPOINT_SLICES, EVENTS, NODES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { clusterDnsController, DNS_SLICE_MANAGER } from './cluster-dns.ts';
import { isForeign, keepsOurPolicy, nodeEndpoints, planDnsService } from './cluster-dns-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL } from './slice-writer.ts';
import { aNamespace, aNode, aService, runFor, until } from './test-objects.ts';

test('every Node answers its own Pods, one the API server has lost sight of too', () => {
  const nodes = [
    aNode('b', { ip: '172.30.0.12', ready: 'Unknown' }),
    aNode('a', { ip: '172.30.0.11' }),
    { metadata: { name: 'without an address yet' } },
  ];
  assert.deepEqual(
    nodeEndpoints(nodes).map(({ addresses, nodeName }) => [addresses[0], nodeName]),
    [
      ['172.30.0.11', 'a'],
      ['172.30.0.12', 'b'],
    ],
  );
});

test('a DNS of somebody’s own is left alone', () => {
  assert.equal(isForeign(aService()), true);
  assert.equal(isForeign(aService({ selector: {} })), false);
});

test('what is right is not written, what is wrong is put right, the address is never touched', () => {
  const made = planDnsService(undefined, ['10.96.0.10']);
  assert.ok(made);
  assert.equal(planDnsService(made, ['10.96.0.10']), undefined);
  const wrong = { ...made, spec: { ...made.spec, internalTrafficPolicy: 'Cluster', clusterIP: '10.96.0.99' } };
  const right = planDnsService(wrong, ['10.96.0.10']);
  assert.equal(right?.spec.internalTrafficPolicy, 'Local');
  assert.equal(right.spec.clusterIP, '10.96.0.99');
});

test('a cluster of two families has two addresses, one that has come to the second as well', () => {
  const both = ['10.96.0.10', 'fd00:96::a'];
  const { spec } = planDnsService(undefined, both) ?? {};
  assert.deepEqual(
    [spec?.clusterIPs, spec?.ipFamilies, spec?.ipFamilyPolicy],
    [both, ['IPv4', 'IPv6'], 'PreferDualStack'],
  );
  const made = planDnsService(undefined, ['10.96.0.99']);
  assert.ok(made);
  const old = { ...made, spec: { ...made.spec, clusterIPs: ['10.96.0.99'], ipFamilies: ['IPv4'] } };
  assert.deepEqual(planDnsService(old, both)?.spec.clusterIPs, ['10.96.0.99', 'fd00:96::a']);
  const grown = planDnsService(old, both);
  assert.equal(grown && planDnsService(grown, both), undefined);
});

const DNS = { clusterIPs: ['10.96.0.10'], corefile: '.:53 {\n    errors\n}\n' };

test('the Service has the Nodes for endpoints, in slices and in Endpoints', async (t) => {
  const client = new FakeClient([aNode('a')]);
  runFor(t, client, [clusterDnsController(DNS)]);
  await client.create(NODES, aNode('b', { ip: '172.30.0.12' }));
  client.seed(aNamespace('kube-system'));
  const [service] = await until(client, SERVICES, (all) => all.length === 1);
  assert.equal(service?.spec.clusterIP, '10.96.0.10');
  await until(client, ENDPOINT_SLICES, ([only]) => only?.endpoints.length === 2);
  await until(client, ENDPOINTS, ([only]) => only?.subsets?.[0]?.addresses?.length === 2);
  await client.delete(NODES, 'a');
  const [slice] = await until(client, ENDPOINT_SLICES, ([only]) => only?.endpoints.length === 1);
  assert.deepEqual(slice?.ports, [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'metrics', port: 9153, protocol: 'TCP' },
  ]);
  await client.delete(SERVICES, 'kube-dns', 'kube-system');
  await until(client, SERVICES, (all) => all.length === 1);
});

test('Nodes of two families are in slices of each', async (t) => {
  const node = aNode('a', { ip: '172.30.0.11' });
  node.status?.addresses?.push({ type: 'InternalIP', address: 'fd00::11' });
  const client = new FakeClient([node]);
  runFor(t, client, [clusterDnsController({ ...DNS, clusterIPs: ['10.96.0.10', 'fd00:96::a'] })]);
  client.seed(aNamespace('kube-system'));
  const slices = await until(client, ENDPOINT_SLICES, (all) => all.length === 2);
  assert.deepEqual(slices.map(({ addressType, endpoints }) => [addressType, endpoints[0]?.addresses[0]]).sort(), [
    ['IPv4', '172.30.0.11'],
    ['IPv6', 'fd00::11'],
  ]);
});

test('the Corefile is where people look for it; their own stays, and one that was deleted is the default again', async (t) => {
  const client = new FakeClient([aNode('a')]);
  runFor(t, client, [clusterDnsController(DNS)]);
  client.seed(aNamespace('kube-system'));
  const [made] = await until(client, CONFIG_MAPS, (all) => all.length === 1);
  assert.deepEqual([made?.metadata.name, made?.data], ['coredns', { Corefile: DNS.corefile }]);
  assert.ok(made);
  await client.update(CONFIG_MAPS, { ...made, data: { Corefile: '# mine\n' } });
  // Something that makes the controller look.
  await client.create(NODES, aNode('b', { ip: '172.30.0.12' }));
  await until(client, ENDPOINT_SLICES, ([only]) => only?.endpoints.length === 2);
  assert.equal(client.all(CONFIG_MAPS)[0]?.data?.['Corefile'], '# mine\n');
  await client.delete(CONFIG_MAPS, 'coredns', 'kube-system');
  await until(client, CONFIG_MAPS, ([only]) => only?.data?.['Corefile'] === DNS.corefile);
});

test('beside a DNS of somebody’s own no Corefile is made, and our slices go', async (t) => {
  const service = aService({ selector: { 'k8s-app': 'kube-dns' } }, { name: 'kube-dns', namespace: 'kube-system' });
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kube-dns-old',
      namespace: 'kube-system',
      labels: { [SERVICE_NAME_LABEL]: 'kube-dns', [SLICE_MANAGER_LABEL]: DNS_SLICE_MANAGER },
    },
    addressType: 'IPv4',
    endpoints: [],
  };
  const client = new FakeClient([aNode('a'), service, slice]);
  client.seed(aNamespace('kube-system'));
  runFor(t, client, [clusterDnsController(DNS)]);
  await until(client, ENDPOINT_SLICES, (all) => all.length === 0);
  assert.deepEqual(client.all(CONFIG_MAPS), []);
});

test('whoever takes the Service over without a word on the policy gets the usual one, since not every Node has one of their Pods', async (t) => {
  const client = new FakeClient([aNode('a')]);
  client.seed(aNamespace('kube-system'));
  runFor(t, client, [clusterDnsController(DNS)]);
  await until(client, ENDPOINT_SLICES, ([only]) => only?.endpoints.length === 1);
  await client.patch(SERVICES, 'kube-dns', 'kube-system', 'merge', { spec: { selector: { 'k8s-app': 'kube-dns' } } });
  await until(client, ENDPOINT_SLICES, (all) => all.length === 0);
  assert.equal(client.all(SERVICES)[0]?.spec.internalTrafficPolicy, 'Cluster');
  const spec = { selector: { a: 'b' }, internalTrafficPolicy: 'Local' };
  const last = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{"internalTrafficPolicy":"Local"}}' };
  assert.deepEqual(
    [
      aService(spec),
      aService(spec, { annotations: last }),
      aService({ ...spec, internalTrafficPolicy: 'Cluster' }),
    ].map(keepsOurPolicy),
    [true, false, false],
  );
  const owned = (manager: string) =>
    aService(spec, { managedFields: [{ manager, fieldsV1: { 'f:spec': { 'f:internalTrafficPolicy': {} } } }] });
  assert.deepEqual([owned('helm'), owned('kube-controller-manager')].map(keepsOurPolicy), [false, true]);
});

test('a Service at another address than Pods are told is complained of', async (t) => {
  const service = aService({ clusterIP: '10.96.0.99' }, { name: 'kube-dns', namespace: 'kube-system' });
  const client = new FakeClient([aNode('a'), service]);
  client.seed(aNamespace('kube-system'));
  runFor(t, client, [clusterDnsController(DNS)]);
  const [event] = await until(client, EVENTS, (all) => all.length > 0);
  assert.deepEqual(
    [event?.reason, event?.message],
    ['ClusterDNSAddressMismatch', 'Pods are told to ask 10.96.0.10; at 10.96.0.99 nobody asks this Service'],
  );
});
