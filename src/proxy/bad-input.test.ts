/** Objects no API server should hold: each is told of, and everything else is served. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../api/types.ts';
import { MODES } from './modes.ts';
import { planOptionsOf } from './options.ts';
import { plan } from './plan/plan.ts';
import { defaultPlanOptions, type Plan, type PlanNode } from './plan/types.ts';

const node: PlanNode = { name: 'node01', ips: ['172.30.0.11'], labels: {} };

interface ServiceShape {
  name?: string;
  namespace?: string;
  spec?: Record<string, unknown>;
  status?: unknown;
}
const service = ({ name = 'web', namespace = 'shop', spec = {}, status = {} }: ServiceShape = {}): Service =>
  ({
    metadata: { name, namespace },
    spec: { clusterIP: '10.96.0.5', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    status,
  }) as unknown as Service;

const slice = (more: Record<string, unknown> = {}, name = 'web'): EndpointSlice =>
  ({
    metadata: { name: `${name}-x`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.244.1.1'], nodeName: 'node01' }],
    ...more,
  }) as unknown as EndpointSlice;

/** Beside every bad object stands a good one, which must not suffer. */
const good = service({ name: 'good', spec: { clusterIP: '10.96.0.9' } });
const goodSlice = slice({}, 'good');

function planned(bad: Service, slices: readonly EndpointSlice[] = [slice()], options = defaultPlanOptions): Plan {
  const result = plan([bad, good], [...slices, goodSlice], node, options);
  const served = result.servicePorts.find((port) => port.service === 'good');
  assert.deepEqual(
    served?.clusterEndpoints.map((one) => one.address),
    ['10.244.1.1:8080'],
  );
  assert.ok(result.problems.every((problem) => problem.service === bad.metadata.name));
  return result;
}
const messages = (result: Plan) => result.problems.map((problem) => problem.message);
const ofBad = (result: Plan) => result.servicePorts.filter((port) => port.service !== 'good');

const ports = (...more: object[]) => service({ spec: { ports: [{ port: 80, protocol: 'TCP' }, ...more] } });
const LEFT_OUT: [what: string, bad: Service, message: string][] = [
  ['a port of 0', ports({ name: 'x', port: 0 }), 'port 0 is not between 1 and 65535'],
  ['a port that is too high', ports({ name: 'x', port: 65_536 }), 'port 65536 is not between 1 and 65535'],
  ['a port that is no number', ports({ name: 'x', port: 'http' }), 'port http is not between 1 and 65535'],
  ['an unknown protocol', ports({ name: 'x', port: 81, protocol: 'QUIC' }), 'port 81: unknown protocol "QUIC"'],
  [
    'a node port that is none',
    ports({ name: 'x', port: 81, nodePort: 70_000 }),
    'node port 70000 is not between 1 and 65535',
  ],
  [
    'a port name that is a rule',
    ports({ name: 'x" -j ACCEPT\n-A INPUT', port: 81 }),
    'port 81: its name is none that Kubernetes allows',
  ],
  ['an external IP', service({ spec: { externalIPs: ['here'] } }), 'externalIPs: "here" is no IP address; left out'],
  [
    'a second cluster IP',
    service({ spec: { clusterIPs: ['10.96.0.5', 'fd00:::1'] } }),
    'clusterIP: "fd00:::1" is no IP address; left out',
  ],
  [
    'an affinity timeout',
    service({ spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } } }),
    'sessionAffinityConfig: 0 seconds are not between 1 and 86400; taken as 10800',
  ],
  [
    'a health check port',
    service({ spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 99_999 } }),
    'healthCheckNodePort 99999 is not between 1 and 65535; left out',
  ],
  [
    'an address of a load balancer',
    service({ spec: { type: 'LoadBalancer' }, status: { loadBalancer: { ingress: [{ ip: '1.2.3' }] } } }),
    'loadBalancer.ingress: "1.2.3" is no IP address; left out',
  ],
];

describe('of a Service', () => {
  for (const [what, bad, message] of LEFT_OUT) {
    it(`${what} that makes no sense is told of, and the rest of it is served`, () => {
      const result = planned(bad);
      assert.deepEqual(messages(result), [message]);
      assert.deepEqual(
        ofBad(result).map((port) => [port.port, port.clusterEndpoints.length]),
        [[80, 1]],
      );
    });
  }

  it('a cluster IP that is none leaves nothing to serve', () => {
    const result = planned(service({ spec: { clusterIP: '10.96.0.300' } }));
    assert.deepEqual(messages(result), ['clusterIP: "10.96.0.300" is no IP address; left out']);
    assert.deepEqual(ofBad(result), []);
  });

  it('a name that could write a rule leaves all of it out', () => {
    const result = planned(service({ name: 'web"\n-A INPUT -j ACCEPT' }));
    assert.deepEqual(messages(result), ['its name is none that Kubernetes allows; all of it is left out']);
    assert.deepEqual(ofBad(result), []);
  });

  it('source ranges that are none never open a load balancer to everybody', () => {
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } };
    const ranges = (...loadBalancerSourceRanges: string[]) =>
      planned(service({ spec: { type: 'LoadBalancer', loadBalancerSourceRanges }, status }));
    const [open] = ofBad(ranges());
    assert.deepEqual([open?.loadBalancerIPs, open?.sourceRanges], [['203.0.113.9'], []]);
    const [partly] = ofBad(ranges('10.0.0.0/8', 'office'));
    assert.deepEqual([partly?.loadBalancerIPs, partly?.sourceRanges], [['203.0.113.9'], ['10.0.0.0/8']]);
    const none = ranges('office');
    assert.deepEqual(ofBad(none)[0]?.loadBalancerIPs, []);
    assert.deepEqual(messages(none), ['loadBalancerSourceRanges: "office" is no range; nobody gets in by it']);
  });
});

const SLICES: [what: string, bad: EndpointSlice, message: string][] = [
  [
    'a bad address',
    slice({ endpoints: [{ addresses: ['10.244.1.300'] }, { addresses: ['10.244.1.2'] }] }),
    'EndpointSlice web-x: "10.244.1.300" is no IPv4 address; left out',
  ],
  [
    'an address of the other family',
    slice({ endpoints: [{ addresses: ['fd00::1'] }, { addresses: ['10.244.1.2'] }] }),
    'EndpointSlice web-x: "fd00::1" is no IPv4 address; left out',
  ],
  [
    'no address at all',
    slice({ endpoints: [{}, { addresses: ['10.244.1.2'] }] }),
    'EndpointSlice web-x: "undefined" is no IPv4 address; left out',
  ],
  [
    'a port of 0',
    slice({ ports: [{ port: 0 }, { port: 8080 }], endpoints: [{ addresses: ['10.244.1.2'] }] }),
    'EndpointSlice web-x: port 0 is not between 1 and 65535; left out',
  ],
];

describe('of an EndpointSlice', () => {
  for (const [what, bad, message] of SLICES) {
    it(`${what} is told of, and the other endpoints are served`, () => {
      const result = planned(service(), [bad]);
      assert.deepEqual(messages(result), [message]);
      assert.deepEqual(
        ofBad(result)[0]?.clusterEndpoints.map((one) => one.address),
        ['10.244.1.2:8080'],
      );
    });
  }

  it('very many bad addresses are told of in few words', () => {
    const endpoints = Array.from({ length: 500 }, (_, at) => ({ addresses: [`bad-${String(at)}`] }));
    const result = planned(service(), [slice({ endpoints })]);
    assert.equal(result.problems.length, 11);
    assert.equal(result.problems.at(-1)?.message, 'and 490 problems more');
  });

  it('a port that is not there is no problem: it means all ports, which no Service port can use', () => {
    const result = planned(service(), [slice({ ports: [{}, { port: null }, { port: 8080 }] })]);
    assert.deepEqual(messages(result), []);
    assert.equal(ofBad(result)[0]?.clusterEndpoints.length, 1);
  });
});

it('an object of a shape nobody foresaw stops nobody else', () => {
  const result = planned(service({ spec: { ports: 'eighty' } }), [slice({ endpoints: {} })]);
  assert.match(messages(result).join(), /cannot be planned: /);
});

it('whatever a Service holds, the rules of every mode are written for all others, and no text gets in as a rule', () => {
  const evil = fc.constantFrom(
    'x',
    '',
    '10.96.0.7',
    '::1',
    '0.0.0.0/0',
    'a" -j ACCEPT',
    'b\n-A INPUT -j ACCEPT',
    '\\',
    '$(reboot)',
  );
  const value = fc.oneof(
    evil,
    fc.integer({ min: -1, max: 70_000 }),
    fc.constant(null),
    fc.array(evil, { maxLength: 3 }),
  );
  const port = fc.dictionary(fc.constantFrom('name', 'port', 'nodePort', 'protocol', 'targetPort'), value);
  const field = fc.constantFrom('clusterIP', 'clusterIPs', 'externalIPs', 'loadBalancerSourceRanges', 'sessionAffinity', 'type', 'healthCheckNodePort'); // prettier-ignore
  const spec = fc.tuple(fc.dictionary(field, value), fc.array(port, { maxLength: 3 }));
  fc.assert(
    fc.property(spec, evil, ([fields, list], name) => {
      const bad = service({ name: name === '' ? 'bad' : name, spec: { ports: list, ...fields } });
      for (const mode of Object.values(MODES)) {
        const options = planOptionsOf(
          { mode: mode.name, clusterCidr: '10.244.0.0/16' },
          { family: 'IPv4', dropInvalid: true },
        );
        const text = mode.render(planned(bad, [slice()], options));
        assert.doesNotMatch(text, /^-A INPUT -j ACCEPT|reboot/m);
      }
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) },
  );
});

describe('spellings of addresses', () => {
  const v6 = { ...defaultPlanOptions, family: 'IPv6' } as const;
  const ips = [
    '::ffff:192.0.2.1',
    '192.0.2.1',
    '2001:DB8::A',
    '2001:db8:0:0:0:0:0:a',
    'fe80::1%eth0',
    '192.000.002.001',
  ];
  const odd = service({ spec: { clusterIPs: ['10.96.0.5', 'FD00:96::5'], externalIPs: ips } });

  it('become one, IPv4 in IPv6 clothes is IPv4, and what could be read in two ways is none', () => {
    const result = planned(odd);
    assert.deepEqual(ofBad(result)[0]?.externalIPs, ['192.0.2.1']);
    const [port] = plan([odd], [], node, v6).servicePorts;
    assert.deepEqual([port?.clusterIP, port?.externalIPs], ['fd00:96::5', ['2001:db8::a']]);
    assert.deepEqual(messages(result), [
      'externalIPs: "fe80::1%eth0" is no IP address; left out',
      'externalIPs: "192.000.002.001" is no IP address; left out',
    ]);
  });

  it('are one endpoint, and counted once', () => {
    const endpoints = ['::ffff:10.244.1.1', '10.244.1.1'].map((ip) => ({ addresses: [ip], nodeName: 'node01' }));
    const [port] = ofBad(planned(service(), [slice({ endpoints })]));
    assert.deepEqual(
      port?.clusterEndpoints.map((one) => one.address),
      ['10.244.1.1:8080'],
    );
    assert.equal(port.localReadyCount, 1);
    const long = ['fd00:1::a', 'FD00:1:0:0::A'].map((ip) => ({ addresses: [ip], nodeName: 'node01' }));
    const mapped = [{ addresses: ['::ffff:10.244.1.1'], nodeName: 'node01' }];
    const slices = [slice({ addressType: 'IPv6', endpoints: [...long, ...mapped] })];
    const dual = plan([odd], slices, node, v6);
    assert.deepEqual(
      [dual.servicePorts[0]?.servingAddresses, dual.servicePorts[0]?.localReadyCount],
      [['[fd00:1::a]:8080'], 1],
    );
    assert.match(messages(dual).join(), /"::ffff:10.244.1.1" is no IPv6 address; left out/);
  });
});

it('names that are special to JavaScript or no names at all harm nobody', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'wéb', 'web\n', 'ｗｅｂ', '']) {
    const result = planned(service({ name, namespace: name }), []);
    const isKnown = /^[a-z]+$/i.test(name);
    assert.equal(ofBad(result).length, isKnown ? 1 : 0, name);
  }
});
