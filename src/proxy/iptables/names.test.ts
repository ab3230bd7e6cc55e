import assert from 'node:assert/strict';
import { it } from 'node:test';
import { endpointChain, isOurChain, serviceChain } from './names.ts';

it('names chains by the hash people know', () => {
  const cases: [name: string, protocol: 'TCP' | 'UDP', hash: string][] = [
    ['default/hostnames:default', 'TCP', 'ODX2UBAZM7RQWOIU'],
    ['default/hostnames:', 'TCP', 'NWV5X2332I4OT4T3'],
    ['default/nginx-service:', 'TCP', 'GKN7Y2BSGW4NJTYL'],
    ['default/kubernetes:https', 'TCP', 'NPX46M4PTMTKRN6Y'],
    ['kube-system/kube-dns:dns', 'UDP', 'TCOU7JCQXEZGVUNU'],
    ['ns1/svc1:p80', 'TCP', 'XPGD46QRK7WJZT7O'],
  ];
  for (const [name, protocol, hash] of cases) assert.equal(serviceChain('SVC', { name, protocol }), `KUBE-SVC-${hash}`);
});

it('names endpoint chains by Service and address', () => {
  const cases: [name: string, address: string, hash: string][] = [
    ['default/hostnames:default', '10.1.161.47:9376', 'I2HJPDDJL5BQFM6K'],
    ['default/hostnames:', '10.244.3.6:9376', '57KPRZ3JQVENLNBR'],
    ['ns1/svc1:p80', '10.180.0.1:80', 'SXIVWICOYRO3J4NJ'],
  ];
  for (const [name, address, hash] of cases) {
    assert.equal(endpointChain({ name, protocol: 'TCP' }, { address }), `KUBE-SEP-${hash}`);
  }
});

it('knows its own chains from those of others', () => {
  const cases: [table: string, chain: string, ours: boolean][] = [
    ['nat', 'KUBE-SVC-ODX2UBAZM7RQWOIU', true],
    ['nat', 'KUBE-SVC-short', false],
    ['filter', 'KUBE-SVC-ODX2UBAZM7RQWOIU', false],
    ['nat', 'KUBE-SERVICES', true],
    ['mangle', 'KUBE-KUBELET-CANARY', false],
    ['nat', 'DOCKER', false],
    ['nat', 'CNI-HOSTPORT-DNAT', false],
  ];
  for (const [table, chain, ours] of cases) assert.equal(isOurChain(table, chain), ours, `${table} ${chain}`);
});
