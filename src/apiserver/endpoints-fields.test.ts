/** Rows of sections 2.3 and 2.4 of the feature matrix through real requests: Endpoints and EndpointSlices as clients write them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';

const ENDPOINTS = '/api/v1/namespaces/default/endpoints';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const merge = { 'content-type': 'application/merge-patch+json' };

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const subset = (addresses: object[], ports: object[] = [{ port: 80 }]) => ({ subsets: [{ addresses, ports }] });
const slice = (address: string, more: object = {}) => ({
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], ...more }],
  ports: [{ port: 80 }],
});
const names = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `n${String(index)}` }));

const REFUSED: [row: string, path: string, body: object, message: string][] = [
  [
    '2-032 nobody',
    ENDPOINTS,
    { subsets: [{ ports: [{ port: 80 }] }] },
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
  ],
  [
    '2-032 no address',
    ENDPOINTS,
    subset([{ ip: 'here' }]),
    'subsets[0].addresses[0].ip: Invalid value: "here": must be a valid IP address',
  ],
  [
    '2-032 loopback',
    ENDPOINTS,
    subset([{ ip: '127.0.0.1' }]),
    'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
  ],
  ['2-032 unspecified', ENDPOINTS, subset([{ ip: '0.0.0.0' }]), 'may not be unspecified (0.0.0.0)'],
  [
    '2-032 link-local',
    ENDPOINTS,
    subset([{ ip: 'fe80::1' }]),
    'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  ],
  [
    '2-032 multicast',
    ENDPOINTS,
    subset([{ ip: '224.0.0.1' }]),
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
  ],
  [
    '2-032 host name',
    ENDPOINTS,
    subset([{ ip: '10.0.0.1', hostname: 'A.b' }]),
    'subsets[0].addresses[0].hostname: Invalid value: "A.b": a lowercase RFC 1123 label',
  ],
  [
    '2-032 two ports without names',
    ENDPOINTS,
    subset([{ ip: '10.0.0.1' }], [{ port: 80 }, { port: 81 }]),
    'subsets[0].ports[0].name: Required value',
  ],
  [
    '2-032 port 0',
    ENDPOINTS,
    subset([{ ip: '10.0.0.1' }], [{ port: 0 }]),
    'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ],
  [
    '2-032 protocol',
    ENDPOINTS,
    subset([{ ip: '10.0.0.1' }], [{ port: 80, protocol: 'ICMP' }]),
    'subsets[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
  ],
  ['2-035 no type', SLICES, { ...slice('10.0.0.1'), addressType: undefined }, 'addressType: Required value'],
  [
    '2-035 another type',
    SLICES,
    { ...slice('10.0.0.1'), addressType: 'IP' },
    'addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"',
  ],
  [
    '2-036 no address',
    SLICES,
    { ...slice('10.0.0.1'), endpoints: [{ addresses: [] }] },
    'endpoints[0].addresses: Required value: must contain at least 1 address',
  ],
  [
    '2-036 101 addresses',
    SLICES,
    {
      ...slice('10.0.0.1'),
      endpoints: [{ addresses: Array.from({ length: 101 }, (_, index) => `10.0.0.${String(index + 1)}`) }],
    },
    'endpoints[0].addresses: Too many: 101: must have at most 100 items',
  ],
  [
    '2-036 1001 endpoints',
    SLICES,
    { ...slice('10.0.0.1'), endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['10.0.0.1'] })) },
    'endpoints: Too many: 1001: must have at most 1000 items',
  ],
  [
    '2-037 the other family',
    SLICES,
    slice('fd00::1'),
    'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
  ],
  [
    '2-037 IPv6 in another spelling',
    SLICES,
    { ...slice('FD00::1'), addressType: 'IPv6' },
    'must be in canonical form ("fd00::1")',
  ],
  ['2-037 loopback', SLICES, slice('127.0.0.1'), 'may not be in the loopback range'],
  [
    '2-037 no name',
    SLICES,
    { ...slice('short'), addressType: 'FQDN' },
    'should be a domain with at least two segments separated by dots',
  ],
  [
    '2-039 one name twice',
    SLICES,
    { ...slice('10.0.0.1'), ports: [{ port: 80 }, { port: 81 }] },
    'ports[1].name: Duplicate value: ""',
  ],
  [
    '2-039 protocol',
    SLICES,
    { ...slice('10.0.0.1'), ports: [{ port: 80, protocol: 'ICMP' }] },
    'ports[0].protocol: Unsupported value: "ICMP"',
  ],
  [
    '2-040 nine zones',
    SLICES,
    slice('10.0.0.1', { hints: { forZones: names(9) } }),
    'endpoints[0].hints.forZones: Too many: 9: must have at most 8 items',
  ],
  [
    '2-040 one zone twice',
    SLICES,
    slice('10.0.0.1', { hints: { forZones: [{ name: 'a' }, { name: 'a' }] } }),
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
  ],
  [
    '2-040 nine nodes',
    SLICES,
    slice('10.0.0.1', { hints: { forNodes: names(9) } }),
    'endpoints[0].hints.forNodes: Too many: 9: must have at most 8 items',
  ],
];
for (const [row, path, fields, message] of REFUSED) {
  test(`refused: ${row}`, async () => {
    const { status, json } = await api.request('POST', path, { body: { metadata: { name: 'wrong' }, ...fields } });
    assert.equal(status, 422, JSON.stringify(json));
    assert.ok(json.message.includes(message), json.message);
  });
}

test('Endpoints: the protocol is TCP, an IPv6 address in another spelling is warned of, columns (2-032, 2-033)', async () => {
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8:0::4'].map((ip) => ({ ip }));
  const answer = await api.request('POST', ENDPOINTS, { body: { metadata: { name: 'good' }, ...subset(addresses) } });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.json.subsets[0].ports[0].protocol, 'TCP');
  const warned = [answer.headers['warning'] ?? []].flat().join();
  assert.match(warned, /subsets\[0\].addresses\[3\].ip: IPv6 address .* should be in RFC 5952 canonical format/);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { json } = await api.request('GET', `${ENDPOINTS}/good`, { headers: { accept } });
  assert.deepEqual(json.rows[0].cells.slice(0, 2), ['good', '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...']);
});

test('EndpointSlice: defaults, generation, what does not change, columns (2-034 to 2-042, 2-044)', async () => {
  const body = { metadata: { name: 'good' }, ...slice('10.0.0.1', { deprecatedTopology: { a: 'b' } }) };
  const made = await api.request('POST', SLICES, { body });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.ports, [{ name: '', port: 80, protocol: 'TCP' }]);
  assert.deepEqual(
    made.json.endpoints,
    [{ addresses: ['10.0.0.1'] }],
    'the old topology is dropped, conditions stay unknown',
  );
  assert.equal(made.json.metadata.generation, 1);
  const patch = (change: object) => api.request('PATCH', `${SLICES}/good`, { headers: merge, body: change });
  assert.equal((await patch({ metadata: { annotations: { a: 'b' } } })).json.metadata.generation, 1);
  assert.equal((await patch({ metadata: { labels: { a: 'b' } } })).json.metadata.generation, 2);
  assert.equal((await patch({ ports: [{ port: 81 }] })).json.metadata.generation, 3);
  const moved = await patch({ addressType: 'IPv6', endpoints: [] });
  assert.match(moved.json.message, /addressType: Invalid value: "IPv6": field is immutable/);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { json } = await api.request('GET', `${SLICES}/good`, { headers: { accept } });
  assert.deepEqual(json.rows[0].cells.slice(0, 4), ['good', 'IPv4', '81', '10.0.0.1']);
  const empty = { metadata: { name: 'empty' }, addressType: 'IPv4' };
  assert.deepEqual((await api.request('POST', SLICES, { body: empty })).json.endpoints, []);
});

test('EndpointSlice: names of hosts are taken, with a warning; a port may be left open (2-035, 2-039)', async () => {
  const body = { metadata: { name: 'names' }, ...slice('a.example.com'), addressType: 'FQDN', ports: [{}] };
  const made = await api.request('POST', SLICES, { body });
  assert.equal(made.status, 201, made.text);
  assert.match([made.headers['warning'] ?? []].flat().join(), /FQDN endpoints are deprecated/);
  assert.deepEqual(made.json.ports, [{ name: '', protocol: 'TCP' }]);
});
