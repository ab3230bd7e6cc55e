import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { endpointSliceController, planServiceSlices } from './endpoint-slice.ts';
import { aNode, aPod, aService, runFor, until } from './test-objects.ts';
import { WriteTracker } from './write-tracker.ts';

const ips = (slices: EndpointSlice[]) =>
  slices.flatMap(({ endpoints }) => endpoints.map(({ addresses }) => addresses[0]));

test('a new slice has the name prefix, labels, owner and trigger time people look for (2-045 to 2-047, 2-058)', () => {
  const service = aService({ clusterIP: 'None' }, { labels: { team: 'a', 'kubernetes.io/service-name': 'fake' } });
  const { plan } = planServiceSlices(service, [], () => undefined, [], {
    max: 100,
    triggerTime: '2026-01-01T00:00:00Z',
  });
  assert.deepEqual(plan.create[0]?.metadata, {
    name: '',
    generateName: 'web-',
    namespace: 'default',
    labels: {
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'service.kubernetes.io/headless': '',
    },
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
    ownerReferences: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: 'web',
        uid: 'uid-service-web',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  });
});

test('a Service on its way out gets no new slice (2-060)', () => {
  const service = aService({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  const { plan } = planServiceSlices(service, [], () => undefined, [], { max: 100, triggerTime: undefined });
  assert.deepEqual(plan.create, []);
});

test('slices follow the Pods', async (t) => {
  const client = new FakeClient([aNode('node01'), aService(), aPod({ name: 'one', ip: '10.0.0.1' })]);
  runFor(t, client, [endpointSliceController()]);
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).join() === '10.0.0.1');
  await client.create(PODS, aPod({ name: 'two', ip: '10.0.0.2' }));
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).join() === '10.0.0.1,10.0.0.2');
  await client.delete(PODS, 'one', 'default', { gracePeriodSeconds: 0 });
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).join() === '10.0.0.2');
  assert.equal(client.all(ENDPOINT_SLICES).length, 1);
});

test('a burst of Pods never makes two slices where one is enough (2-062)', async (t) => {
  const client = new FakeClient([aNode('node01'), aService()]);
  runFor(t, client, [endpointSliceController()]);
  const pods = Array.from({ length: 60 }, (_, n) => aPod({ name: `p${String(n)}`, ip: `10.0.1.${String(n)}` }));
  await Promise.all(pods.map((pod) => client.create(PODS, pod)));
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).length === 60);
  assert.equal(client.all(ENDPOINT_SLICES).length, 1);
  assert.equal(new Set(ips(client.all(ENDPOINT_SLICES))).size, 60);
});

test('a Pod comes in when its Node does (2-052)', async (t) => {
  const client = new FakeClient([aService(), aPod({ name: 'one', ip: '10.0.0.1' })]);
  runFor(t, client, [endpointSliceController()]);
  await until(client, ENDPOINT_SLICES, (slices) => slices.length === 1 && ips(slices).length === 0);
  await client.create(NODES, aNode('node01'));
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).length === 1);
});

test('labels of the Service reach all slices (2-059), and hand-made slices are nobody’s business (2-063)', async (t) => {
  const manual: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'manual',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'me' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.9.9.9'] }],
    ports: [],
  };
  const client = new FakeClient([aNode('node01'), aService(), manual]);
  runFor(t, client, [endpointSliceController()]);
  await until(client, ENDPOINT_SLICES, (slices) => slices.length === 2);
  await client.patch(SERVICES, 'web', 'default', 'merge', { metadata: { labels: { team: 'b' } } });
  await until(client, ENDPOINT_SLICES, (slices) => slices.some(({ metadata }) => metadata.labels?.['team'] === 'b'));
  assert.deepEqual(
    client.all(ENDPOINT_SLICES).find(({ metadata }) => metadata.name === 'manual')?.endpoints,
    manual.endpoints,
  );
});

test('a slice that somebody emptied is filled again', async (t) => {
  const client = new FakeClient([aNode('node01'), aService(), aPod({ name: 'one', ip: '10.0.0.1' })]);
  runFor(t, client, [endpointSliceController()]);
  const [made] = await until(client, ENDPOINT_SLICES, (slices) => ips(slices).length === 1);
  await client.update(ENDPOINT_SLICES, { ...made!, endpoints: [] });
  await until(client, ENDPOINT_SLICES, (slices) => ips(slices).length === 1);
});

const object = (uid: string, resourceVersion: string) => ({ metadata: { name: uid, uid, resourceVersion } });

test('a copy is behind until it shows every write, and no longer than ten seconds', () => {
  const tracker = new WriteTracker();
  assert.equal(tracker.isFresh('k', [], 0), true);
  tracker.wrote('k', object('a', '10'), 0);
  assert.equal(tracker.isFresh('k', [], 0), false);
  assert.equal(tracker.isFresh('k', [object('a', '9')], 0), false);
  assert.equal(tracker.isFresh('k', [object('a', '10')], 0), true);
  assert.equal(tracker.isFresh('k', [object('a', '100')], 0), true);
  assert.equal(tracker.isFresh('k', [], 10_001), true);
  tracker.removed('k', object('a', '10'), 0);
  assert.equal(tracker.isFresh('k', [object('a', '10')], 0), false);
  assert.equal(tracker.isFresh('k', [], 0), true);
});

test('a removal seen ends the wait for what was written before', () => {
  const tracker = new WriteTracker();
  tracker.wrote('k', object('a', '10'), 0);
  tracker.sawRemoval('k', object('a', '11'));
  assert.equal(tracker.isFresh('k', [], 0), true);
});
