import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDPOINTS, ENDPOINT_SLICES, SERVICES } from '../api/kinds.ts';
import type { Endpoints, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { endpointSliceMirroringController, isMirrored, mirrorGroups } from './endpoint-slice-mirroring.ts';
import { aService, runFor, until } from './test-objects.ts';

function manual(changes: Partial<Endpoints['metadata']> = {}, subsets: Endpoints['subsets'] = []): Endpoints {
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web', namespace: 'default', ...changes }, subsets };
}
const { selector: _none, ...plain } = aService().spec;
const bare: Service = { ...aService(), spec: plain };

const scope: [string, Endpoints | undefined, Service | undefined, boolean][] = [
  ['hand-made ones of a Service without selector', manual(), bare, true],
  ['those of a Service with a selector', manual(), aService(), false],
  ['those without a Service', manual(), undefined, false],
  [
    'those that ask to be skipped',
    manual({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }),
    bare,
    false,
  ],
  ['locks', manual({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }), bare, false],
];
for (const [name, endpoints, service, expected] of scope) {
  test(`${name} are ${expected ? '' : 'not '}mirrored (2-073)`, () => {
    assert.equal(isMirrored(endpoints, service), expected);
  });
}

const ports = [{ port: 3306 }];
const sqlPort = { name: '', port: 3306, protocol: 'TCP' };

test('a subset becomes one group per family, in canonical form, with what the address says (2-075, 2-077, 2-081)', () => {
  const subset = {
    addresses: [{ ip: 'fd00:0::1' }, { ip: '10.0.0.9', nodeName: 'n', hostname: 'h' }],
    notReadyAddresses: [{ ip: '10.0.0.8' }],
    ports,
  };
  const { groups, invalid } = mirrorGroups(manual({}, [subset]));
  assert.deepEqual(invalid, []);
  assert.deepEqual(groups, [
    { addressType: 'IPv6', ports: [sqlPort], endpoints: [{ addresses: ['fd00::1'], conditions: { ready: true } }] },
    {
      addressType: 'IPv4',
      ports: [sqlPort],
      endpoints: [
        { addresses: ['10.0.0.9'], conditions: { ready: true }, hostname: 'h', nodeName: 'n' },
        { addresses: ['10.0.0.8'], conditions: { ready: false } },
      ],
    },
  ]);
});

test('one address in several subsets is reachable on all ports (2-079)', () => {
  const subsets = [80, 81].map((port) => ({ addresses: [{ ip: '10.0.0.1' }], ports: [{ port }] }));
  assert.equal(mirrorGroups(manual({}, subsets)).groups.length, 2);
});

test('what is too much or no address is left out and counted (2-078)', () => {
  const addresses = ['10.0.0.1', 'nonsense', '10.0.0.2'].map((ip) => ({ ip }));
  const { groups, invalid, skipped } = mirrorGroups(manual({}, [{ addresses, ports }]), 2);
  assert.deepEqual([groups[0]?.endpoints.length, invalid, skipped], [1, ['nonsense'], 1]);
});

test('slices appear with the Endpoints and go when the Service gets a selector (2-074, 2-076)', async (t) => {
  const annotations = { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
  const client = new FakeClient([
    bare,
    manual({ annotations, labels: { a: 'b' } }, [{ addresses: [{ ip: '10.0.0.1' }], ports }]),
  ]);
  runFor(t, client, [endpointSliceMirroringController()]);
  const [slice] = await until(client, ENDPOINT_SLICES, (all) => all.length === 1);
  assert.deepEqual(slice?.metadata.labels, {
    a: 'b',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  });
  assert.deepEqual(slice.metadata.annotations, { note: 'x' });
  assert.equal(slice.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
  await client.patch(ENDPOINTS, 'web', 'default', 'merge', { subsets: [{ addresses: [{ ip: '10.0.0.2' }], ports }] });
  await until(client, ENDPOINT_SLICES, ([only]) => only?.endpoints[0]?.addresses[0] === '10.0.0.2');
  await client.patch(SERVICES, 'web', 'default', 'merge', { spec: { selector: { app: 'web' } } });
  await until(client, ENDPOINT_SLICES, (all) => all.length === 0);
});
