/**
 * Random histories of Services of every type and family policy: whatever was accepted or refused, claims and cluster IPs are the same
 * set, no number serves two Services, and what was refused changed nothing.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { startTestApi, type TestAnswer, type TestApi } from '../../../test/support/api.ts';
import type { IPAddress, Service } from '../../api/types.ts';
import { nodePortsOf } from './node-ports.ts';

const SERVICES = '/api/v1/namespaces/default/services';

let api: TestApi;
before(async () => {
  // Small ranges, so that they run full and numbers collide.
  api = await startTestApi({ serviceClusterIpRange: '10.9.0.0/28,fd00:9::/124', serviceNodePortRange: '30000-30007' });
});
after(() => api.stop());

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const ports = fc.constantFrom(
  [{ name: 'a', port: 1 }],
  [{ name: 'a', port: 1, nodePort: 30001 }],
  [
    { name: 'a', port: 1, protocol: 'TCP' },
    { name: 'b', port: 1, protocol: 'UDP' },
  ],
  [
    { name: 'b', port: 2, nodePort: 30002 },
    { name: 'c', port: 3 },
  ],
);
const wild = fc.record(
  {
    type: maybe(fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')),
    clusterIP: maybe(fc.constantFrom('', 'None', '10.9.0.5', '10.9.0.6', 'fd00:9::5', '10.1.1.1')),
    ipFamilies: maybe(fc.constantFrom(['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4'])),
    ipFamilyPolicy: maybe(fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack')),
    externalName: maybe(fc.constant('a.example')),
    externalTrafficPolicy: maybe(fc.constantFrom('Local', 'Cluster')),
    allocateLoadBalancerNodePorts: maybe(fc.boolean()),
    healthCheckNodePort: maybe(fc.constantFrom(0, 30001, 30002)),
    selector: maybe(fc.constant({ a: 'b' })),
    ports: maybe(ports),
  },
  { requiredKeys: [] },
);
/** Mostly taken, so that histories have something to go on from. */
const sound = fc.record({ type: fc.constantFrom('NodePort', 'LoadBalancer'), ports });
const spec: fc.Arbitrary<object> = fc.oneof({ weight: 2, arbitrary: wild }, { weight: 1, arbitrary: sound });
const name = fc.constantFrom('s0', 's1', 's2', 's3', 's4', 's5');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('POST' as const), name, spec }) },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('PATCH' as const), name, spec }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('PUT' as const), name, spec }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('DELETE' as const), name, spec: fc.constant({}) }) },
);

interface Step {
  readonly verb: 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly name: string;
  readonly spec: object;
}

async function run({ verb, name, spec }: Step): Promise<TestAnswer> {
  const headers = { 'content-type': verb === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
  const body = verb === 'DELETE' ? undefined : { metadata: { name }, spec };
  return await api.request(verb, verb === 'POST' ? SERVICES : `${SERVICES}/${name}`, { headers, body });
}

const list = async <T>(path: string): Promise<T[]> => (await api.request('GET', path)).json.items as T[];

function assertConsistent(services: readonly Service[], addresses: readonly IPAddress[]): void {
  const held = services.flatMap((service) =>
    (service.spec.clusterIPs ?? []).filter((ip) => ip !== 'None').map((ip) => `${ip} ${service.metadata.name}`),
  );
  assert.deepEqual(
    addresses.map((each) => `${each.metadata.name} ${each.spec.parentRef.name}`).sort(),
    [...held].sort(),
    'claims are cluster IPs',
  );
  const numbers = services.flatMap((service) => [...nodePortsOf(service)]);
  assert.equal(new Set(numbers).size, numbers.length, 'no number serves two Services');
  for (const service of services) assertWhole(service);
}

/** What every stored Service is like, however it got there. */
function assertWhole({ metadata, spec }: Service): void {
  const about = `${metadata.name}: ${JSON.stringify(spec)}`;
  // '' is how a client takes an address away, and as good as none.
  assert.equal(spec.clusterIP || undefined, spec.clusterIPs?.[0], about);
  if (spec.type === 'ExternalName') {
    assert.deepEqual([spec.clusterIPs, spec.ipFamilies, spec.ipFamilyPolicy], [undefined, undefined, undefined], about);
    return;
  }
  const families = (spec.clusterIPs ?? []).map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
  if (spec.clusterIP !== 'None') assert.deepEqual(families, spec.ipFamilies, about);
  if (spec.ipFamilyPolicy === 'SingleStack') assert.equal(spec.ipFamilies?.length, 1, about);
  if (spec.ipFamilyPolicy === 'RequireDualStack') assert.equal(spec.ipFamilies?.length, 2, about);
  const ports = spec.ports ?? [];
  if (spec.type === 'NodePort')
    assert.ok(
      ports.every(({ nodePort }) => nodePort),
      about,
    );
  if (spec.type === 'ClusterIP')
    assert.ok(
      ports.every(({ nodePort }) => !nodePort),
      about,
    );
  const checked = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  assert.equal((spec.healthCheckNodePort ?? 0) !== 0, checked, about);
}

test('after any history, claims and numbers are those of the Services', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      for (const each of steps) {
        const before = await list<Service>(SERVICES);
        const { status, json } = await run(each);
        const services = await list<Service>(SERVICES);
        const kind = `${each.verb} ${status < 300 ? 'done' : String(status)}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        if (status >= 500) assert.match(json.message, /failed to allocate/, JSON.stringify(each));
        if (status >= 300) assert.deepEqual(services, before, 'a refused request changes nothing');
        assertConsistent(services, await list<IPAddress>('/apis/networking.k8s.io/v1/ipaddresses'));
      }
    }),
    { numRuns: 150 },
  );
  // Both ways are really gone: otherwise the test would prove nothing.
  for (const kind of ['POST done', 'POST 422', 'PATCH done', 'PATCH 422', 'PUT done', 'DELETE done']) {
    assert.ok((seen.get(kind) ?? 0) > 3, `${kind}: ${JSON.stringify([...seen])}`);
  }
});
