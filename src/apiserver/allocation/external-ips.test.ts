import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestApi } from '../../../test/support/api.ts';
import { EVENTS } from '../../api/kinds.ts';
import type { Node, Service } from '../../api/types.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { checkExternalIps } from './external-ips.ts';

const range = parseCidr('10.96.0.0/16');
assert.ok(range);
const node: Node = {
  metadata: { name: 'node01' },
  status: {
    addresses: [
      { type: 'InternalIP', address: '172.30.0.11' },
      { type: 'Hostname', address: 'node01' },
    ],
  },
};
const service = (name: string, externalIPs: string[], second = 0, more: Service['spec'] = {}): Service => ({
  metadata: { name, namespace: 'default', creationTimestamp: `2026-01-01T12:00:0${String(second)}Z` },
  spec: { type: 'ClusterIP', externalIPs, ports: [{ port: 80, protocol: 'TCP' }], ...more },
});

const ROWS: [what: string, services: Service[], expected: string[]][] = [
  ['each its own', [service('a', ['192.0.2.1']), service('b', ['192.0.2.2'])], []],
  [
    'one address, one port: the younger is told',
    [service('young', ['192.0.2.1'], 2), service('old', ['192.0.2.1'], 1)],
    [
      'young: External IP 192.0.2.1 on port 80/TCP is used by Service default/old already: only one of them is reached there',
    ],
  ],
  [
    'one address in two spellings',
    [service('a', ['2001:db8::1'], 1), service('b', ['2001:DB8:0::1'], 2)],
    [
      'b: External IP 2001:db8::1 on port 80/TCP is used by Service default/a already: only one of them is reached there',
    ],
  ],
  [
    'one address, two ports',
    [service('a', ['192.0.2.1']), service('b', ['192.0.2.1'], 0, { ports: [{ port: 81 }] })],
    [],
  ],
  [
    'one address, two protocols',
    [service('a', ['192.0.2.1']), service('b', ['192.0.2.1'], 0, { ports: [{ port: 80, protocol: 'UDP' }] })],
    [],
  ],
  [
    'headless Services and names are reached by no address',
    [
      service('a', ['192.0.2.1']),
      service('b', ['192.0.2.1'], 1, { clusterIP: 'None' }),
      service('c', ['192.0.2.1'], 1, { type: 'ExternalName' }),
    ],
    [],
  ],
  ['twice in one Service', [service('a', ['192.0.2.1', '192.0.2.1'])], []],
  [
    "a node's address",
    [service('a', ['172.30.0.11'])],
    [
      'a: External IP 172.30.0.11 is the address of node node01: the ports of this Service no longer lead to the node itself',
    ],
  ],
  [
    'an address of the cluster',
    [service('a', ['10.96.3.4'])],
    ['a: External IP 10.96.3.4 is within the Service CIDR 10.96.0.0/16: a Service may get it as its cluster IP'],
  ],
];
for (const [what, services, expected] of ROWS) {
  test(`external IPs: ${what}`, () => {
    const complaints = checkExternalIps({ services, nodes: [node], ranges: [range] });
    assert.deepEqual(
      complaints.map(({ object, message }) => `${object.metadata.name}: ${message}`),
      expected,
    );
  });
}

test('a Service that takes the external IP of another gets an event', async () => {
  const api = await startTestApi();
  for (const name of ['first', 'second']) {
    const body = { metadata: { name }, spec: { externalIPs: ['192.0.2.7'], ports: [{ port: 80 }] } };
    assert.equal((await api.request('POST', '/api/v1/namespaces/default/services', { body })).status, 201);
  }
  for await (const { object } of api.client.watch(EVENTS, { namespace: 'default' })) {
    if (object.reason !== 'ExternalIPAlreadyUsed') continue;
    assert.equal(object.involvedObject?.name, 'second');
    break;
  }
  await api.stop();
});
