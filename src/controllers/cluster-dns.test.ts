import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDPOINTS, ENDPOINT_SLICES, NODES, SERVICES } from '../api/kinds.ts';
import { FakeClient } from '../client/fake-client.ts';
import { clusterDnsController, isForeign, nodeEndpoints, planDnsService } from './cluster-dns.ts';
import { aNamespace, aNode, aService, runFor, until } from './test-objects.ts';

test('only Nodes that are Ready answer', () => {
  const nodes = [
    aNode('b', { ip: '172.30.0.12' }),
    aNode('a', { ip: '172.30.0.11' }),
    aNode('c', { ready: 'Unknown' }),
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
  const made = planDnsService(undefined, '10.96.0.10');
  assert.ok(made);
  assert.equal(planDnsService(made, '10.96.0.10'), undefined);
  const wrong = { ...made, spec: { ...made.spec, internalTrafficPolicy: 'Cluster', clusterIP: '10.96.0.99' } };
  const right = planDnsService(wrong, '10.96.0.10');
  assert.equal(right?.spec.internalTrafficPolicy, 'Local');
  assert.equal(right.spec.clusterIP, '10.96.0.99');
});

test('the Service has the Nodes for endpoints, in slices and in Endpoints', async (t) => {
  const client = new FakeClient([aNode('a')]);
  runFor(t, client, [clusterDnsController('10.96.0.10')]);
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
  ]);
  await client.delete(SERVICES, 'kube-dns', 'kube-system');
  await until(client, SERVICES, (all) => all.length === 1);
});
