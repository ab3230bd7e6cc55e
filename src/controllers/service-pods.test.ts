import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/types.ts';
import { endpointHostname, endpointPods, isSelecting, resolvePorts, serviceKeysOfPodChange } from './service-pods.ts';
import { aPod, aService, type PodFields } from './test-objects.ts';

const names = (pods: Pod[]) => pods.map(({ metadata }) => metadata.name);

const membership: [string, PodFields, boolean][] = [
  ['a ready Pod', { name: 'a', ip: '10.0.0.1' }, true],
  ['a Pod that is not ready', { name: 'a', ip: '10.0.0.1', ready: false }, true],
  ['a Pod that is being deleted (2-005)', { name: 'a', ip: '10.0.0.1', deleting: true }, true],
  ['a Pod without an address (2-004)', { name: 'a' }, false],
  ['a Pod that failed (2-003)', { name: 'a', ip: '10.0.0.1', phase: 'Failed' }, false],
  ['a Pod that has succeeded (2-003)', { name: 'a', ip: '10.0.0.1', phase: 'Succeeded' }, false],
];
for (const [name, fields, expected] of membership) {
  test(`${name} ${expected ? 'has' : 'has no'} place among the endpoints`, () => {
    assert.equal(endpointPods([aPod(fields)]).length === 1, expected);
  });
}

test('of two Pods with one address only the newer is an endpoint, for the older one is dead (F24)', () => {
  const old = aPod({ name: 'old', ip: '10.0.0.1', created: '2026-01-01T00:00:00Z' });
  const young = aPod({ name: 'young', ip: '10.0.0.1', created: '2026-01-01T00:05:00Z', ready: false });
  assert.deepEqual(names(endpointPods([old, young])), ['young']);
  assert.deepEqual(names(endpointPods([young, old])), ['young']);
});

test('a Pod that is going loses its address to one that stays, whatever their ages', () => {
  const going = aPod({ name: 'going', ip: '10.0.0.1', created: '2026-01-01T00:05:00Z', deleting: true });
  const staying = aPod({ name: 'staying', ip: '10.0.0.1' });
  assert.deepEqual(names(endpointPods([going, staying])), ['staying']);
});

test('Pods on the host network share their Node’s address rightly', () => {
  const host = { hostNetwork: true };
  const pods = [aPod({ name: 'a', ip: '172.30.0.11', spec: host }), aPod({ name: 'b', ip: '172.30.0.11', spec: host })];
  assert.equal(endpointPods(pods).length, 2);
});

const containers = [
  { name: 'a', image: 'i', ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] },
  { name: 'b', image: 'i', ports: [{ name: 'dns', containerPort: 5353, protocol: 'TCP' }] },
];
const sidecar = {
  name: 's',
  image: 'i',
  restartPolicy: 'Always',
  ports: [{ name: 'metrics', containerPort: 9090 }],
};
const ports: [string, object, number | undefined][] = [
  ['a number is taken as it is, declared or not (2-012)', { port: 80, targetPort: 8123 }, 8123],
  ['no target means the Service’s own port', { port: 80 }, 80],
  ['a name is found by name and protocol (2-013)', { port: 53, protocol: 'TCP', targetPort: 'dns' }, 5353],
  ['a name is found for UDP as well', { port: 53, protocol: 'UDP', targetPort: 'dns' }, 53],
  ['a sidecar’s port is found', { port: 1, targetPort: 'metrics' }, 9090],
  ['a name nobody has is left out (2-014)', { port: 1, targetPort: 'http' }, undefined],
];
for (const [name, port, expected] of ports) {
  test(`target port: ${name}`, () => {
    const service = aService({ ports: [port as never] });
    const pod = aPod({ name: 'a', spec: { containers, initContainers: [sidecar] } });
    assert.equal(resolvePorts(service, pod)[0]?.port, expected);
  });
}

test('the ports of ordinary init containers are not found', () => {
  const { restartPolicy: _always, ...init } = sidecar;
  const pod = aPod({ name: 'a', spec: { initContainers: [init] } });
  assert.deepEqual(resolvePorts(aService({ ports: [{ port: 1, targetPort: 'metrics' }] }), pod), []);
});

test('appProtocol is copied, and an unnamed port is called the empty name (2-017)', () => {
  const service = aService({ ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] });
  const expected = [{ name: '', port: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' }];
  assert.deepEqual(resolvePorts(service, aPod({ name: 'a' })), expected);
});

test('a hostname is published only where the subdomain is the Service’s name (2-020)', () => {
  const pod = (subdomain: string) => aPod({ name: 'a', spec: { hostname: 'h', subdomain } });
  assert.equal(endpointHostname(pod('web'), aService()), 'h');
  assert.equal(endpointHostname(pod('other'), aService()), undefined);
});

test('a Service without a selector, with an empty one, or of type ExternalName is nobody’s (2-001, 2-002)', () => {
  assert.equal(isSelecting(aService()), true);
  assert.equal(isSelecting(aService({ selector: {} })), false);
  assert.equal(isSelecting(aService({ type: 'ExternalName' })), false);
});

const before = aPod({ name: 'a', ip: '10.0.0.1' });
const changes: [string, Pod, string[]][] = [
  ['nothing that counts', { ...before, metadata: { ...before.metadata, annotations: { a: 'b' } } }, []],
  ['readiness', aPod({ name: 'a', ip: '10.0.0.1', ready: false }), ['default/web']],
  ['the address', aPod({ name: 'a', ip: '10.0.0.2' }), ['default/web']],
  ['the beginning of the end', aPod({ name: 'a', ip: '10.0.0.1', deleting: true }), ['default/web']],
  ['labels that no longer match (2-009)', aPod({ name: 'a', ip: '10.0.0.1', labels: {} }), ['default/web']],
];
for (const [name, object, expected] of changes) {
  test(`a Pod’s change of ${name} makes ${expected.length === 0 ? 'no Service' : 'its Service'} due (2-008)`, () => {
    const view = {
      byIndex: (_kind: unknown, _index: string, value: string) => (value === 'default/app=web' ? [aService()] : []),
    };
    const keys = serviceKeysOfPodChange({ type: 'updated', old: before, object }, view as never);
    assert.deepEqual(keys, expected);
  });
}
