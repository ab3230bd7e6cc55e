import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/types.ts';
import { planRoutes, renderCniConfig, renderMasquerade, routeCommands } from './network.ts';
import { nodeStatus, sameStatus } from './node-status.ts';

test('the CNI configuration follows the hairpin mode and the pod CIDRs', () => {
  const parsed = (hairpinMode: 'hairpin-veth' | 'promiscuous-bridge' | 'none') => {
    const text = renderCniConfig({ podCIDRs: ['10.244.1.0/24'], hairpinMode, stateDir: '/state' });
    return (JSON.parse(text) as { plugins: Record<string, unknown>[] }).plugins[0];
  };
  const rows = [
    ['hairpin-veth', true, false],
    ['promiscuous-bridge', false, true],
    ['none', false, false],
  ] as const;
  for (const [mode, hairpin, promiscuous] of rows)
    assert.deepEqual([parsed(mode)?.['hairpinMode'], parsed(mode)?.['promiscMode']], [hairpin, promiscuous]);
  assert.deepEqual(parsed('none')?.['ipam'], {
    type: 'host-local',
    dataDir: '/state',
    ranges: [[{ subnet: '10.244.1.0/24' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  });
});

function node(name: string, podCIDRs: string[], address?: string): Node {
  const addresses = [
    ...(address === undefined ? [] : [{ type: 'InternalIP', address }]),
    { type: 'Hostname', address: name },
  ];
  return { metadata: { name }, spec: { podCIDRs }, status: { addresses } };
}

test('routes: every other node with an address of the same family', () => {
  const nodes = [
    node('node01', ['10.244.0.0/24'], '172.30.0.11'),
    node('node02', ['10.244.1.0/24', 'fd00:1::/64'], '172.30.0.12'),
    node('node03', [], '172.30.0.13'),
    node('node04', ['10.244.3.0/24']),
  ];
  assert.deepEqual([...planRoutes(nodes, 'node01')], [['10.244.1.0/24', '172.30.0.12']]);
});

test('routes change only where they must', () => {
  const present = new Map([
    ['10.244.1.0/24', '172.30.0.12'],
    ['10.244.2.0/24', '172.30.0.13'],
    ['10.244.9.0/24', '172.30.0.19'],
  ]);
  const wanted = new Map([
    ['10.244.1.0/24', '172.30.0.12'],
    ['10.244.2.0/24', '172.30.0.14'],
  ]);
  assert.deepEqual(routeCommands(present, wanted), [
    'route del 10.244.9.0/24 proto 127',
    'route replace 10.244.2.0/24 via 172.30.0.14 proto 127',
  ]);
  assert.deepEqual(routeCommands(wanted, wanted), []);
});

test('masquerade leaves pods and nodes alone', () => {
  const text = renderMasquerade({ clusterCidr: '10.244.0.0/16', nodeIps: ['172.30.0.11', '172.30.0.12'] });
  const rules = text.split('\n').filter((line) => line.startsWith('-A'));
  assert.deepEqual(
    rules.map((line) => `${/-d (\S+)/.exec(line)?.[1] ?? 'any'} ${/-j (\S+)/.exec(line)?.[1] ?? ''}`),
    ['10.244.0.0/16 RETURN', '172.30.0.11 RETURN', '172.30.0.12 RETURN', '224.0.0.0/4 RETURN', 'any MASQUERADE'],
  );
});

test('the Node says what it is, and a heartbeat alone is no change', () => {
  const machine = {
    ...{ cpus: 2, memoryBytes: 2 ** 30, storageBytes: 2 ** 31, kernelVersion: '6.18.0', osImage: 'Debian' },
    ...{ architecture: 'amd64', machineId: 'm', bootId: 'b' },
  };
  const input = { name: 'node01', ips: ['172.30.0.11'], machine, runtimeVersion: 'containerd://1.6.20' };
  const first = nodeStatus(input, { ready: false, message: 'why' }, undefined, 0);
  const ready = nodeStatus(
    input,
    { ready: true, message: '' },
    { metadata: { name: 'node01' }, status: first },
    60_000,
  );
  const later = nodeStatus(
    input,
    { ready: true, message: '' },
    { metadata: { name: 'node01' }, status: ready },
    120_000,
  );
  const condition = (status: typeof ready) => status.conditions?.find(({ type }) => type === 'Ready');
  assert.deepEqual([condition(first)?.status, condition(first)?.message], ['False', 'why']);
  assert.equal(condition(later)?.lastTransitionTime, condition(ready)?.lastTransitionTime);
  assert.deepEqual(
    [sameStatus(first, ready), sameStatus(ready, later), sameStatus(undefined, ready)],
    [false, true, false],
  );
  assert.equal(ready.capacity?.['memory'], '1048576Ki');
  assert.equal(ready.daemonEndpoints?.kubeletEndpoint?.Port, 10250);
});
