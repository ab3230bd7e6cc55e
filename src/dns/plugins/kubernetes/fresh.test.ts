/** What was just asked for, and is kept as a packet or in the cache, changes with the cluster: asked over UDP, with all that stands before the plugin. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from '../../../api/kinds.ts';
import type { EndpointSlice, KubeObject, Service } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import { askUdp, knowing } from '../../asking.ts';
import { runDns, type RunningDns } from '../../run.ts';
import { CLASS_IN, TYPE } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';
import { fakeUpstream, recordsOf, type FakeUpstream } from '../forward/fake-upstream.ts';

const OUTSIDE = recordsOf('www.example.com. 600 IN A 192.0.2.1\nftp.example.com. 600 IN A 192.0.2.2');
const service = (name: string, spec: Service['spec'], namespace = 'default'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec,
});
const slice = (of: string, addresses: readonly string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${of}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address] })),
});

const client = new FakeClient([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } } as KubeObject]);
let upstream: FakeUpstream;
let dns: RunningDns;
let port = 0;

before(async () => {
  upstream = await fakeUpstream(({ query }) => knowing(OUTSIDE, query));
  // The cache keeps names of the cluster too, where it may.
  const text = `.:53 {
    kubernetes cluster.local in-addr.arpa {
        fallthrough in-addr.arpa
        ttl 3600
    }
    forward . ${upstream.to}
    cache 3600
    loadbalance
}
`;
  const corefile = { file: 'Corefile', text };
  dns = runDns({ client, corefile, listen: { addresses: ['127.0.0.1'], port: 0 }, log: silentLog });
  port = (await dns.listening).get(53) ?? 0;
});

after(async () => {
  await dns.stop();
  await upstream.close();
});

/** Three times: the first is answered, the second kept, the third comes from what was kept. */
async function ask(name: string, type: number = TYPE.A): Promise<string> {
  const question = { name, type, class: CLASS_IN };
  const told: string[] = [];
  for (let time = 0; time < 3; time++) {
    const [message] = await askUdp(port, [question]);
    assert.ok(message);
    const data = message.answers.map((record) => recordText(record).replace(/^\S+ \d+ IN /, '')).sort();
    told.push([rcodeName(message.rcode), ...data].join(' '));
  }
  assert.equal(new Set(told).size, 1, told.join('\n'));
  return told[0] ?? '';
}

test('a Service that was asked for before it was there, from its making to its end', async () => {
  const name = 'web.default.svc.cluster.local.';
  const reverse = '7.0.96.10.in-addr.arpa.';
  assert.equal(await ask(name), 'NXDOMAIN');
  assert.equal(await ask(reverse, TYPE.PTR), 'NXDOMAIN');
  await client.create(SERVICES, service('web', { clusterIP: '10.96.0.7' }));
  assert.equal(await ask(name), 'NOERROR A 10.96.0.7');
  assert.equal(await ask(reverse, TYPE.PTR), 'NOERROR PTR web.default.svc.cluster.local.');
  await client.update(SERVICES, service('web', { clusterIP: '10.96.0.8' }));
  assert.equal(await ask(name), 'NOERROR A 10.96.0.8');
  assert.equal(await ask(reverse, TYPE.PTR), 'NXDOMAIN');
  await client.delete(SERVICES, 'web', 'default');
  assert.equal(await ask(name), 'NXDOMAIN');
  assert.equal(await ask('8.0.96.10.in-addr.arpa.', TYPE.PTR), 'NXDOMAIN');
});

test('endpoints of a headless Service that come, become more, and go', async () => {
  const name = 'set.default.svc.cluster.local.';
  const endpoint = '10-244-0-1.set.default.svc.cluster.local.';
  await client.create(SERVICES, service('set', { clusterIP: 'None' }));
  assert.deepEqual([await ask(name), await ask(endpoint)], ['NXDOMAIN', 'NXDOMAIN']);
  await client.create(ENDPOINT_SLICES, slice('set', ['10.244.0.1']));
  assert.deepEqual([await ask(name), await ask(endpoint)], ['NOERROR A 10.244.0.1', 'NOERROR A 10.244.0.1']);
  await client.update(ENDPOINT_SLICES, slice('set', ['10.244.0.1', '10.244.0.2']));
  assert.equal(await ask(name), 'NOERROR A 10.244.0.1 A 10.244.0.2');
  await client.delete(ENDPOINT_SLICES, 'set-1', 'default');
  assert.deepEqual([await ask(name), await ask(endpoint)], ['NXDOMAIN', 'NXDOMAIN']);
});

test('an alias out of the cluster that leads elsewhere', async () => {
  const name = 'out.default.svc.cluster.local.';
  await client.create(SERVICES, service('out', { type: 'ExternalName', externalName: 'www.example.com' }));
  assert.equal(await ask(name), 'NOERROR A 192.0.2.1 CNAME www.example.com.');
  const asked = upstream.questions.length;
  assert.equal(await ask(name), 'NOERROR A 192.0.2.1 CNAME www.example.com.');
  assert.equal(upstream.questions.length, asked, 'what is behind it is kept by its own TTL');
  await client.update(SERVICES, service('out', { type: 'ExternalName', externalName: 'ftp.example.com' }));
  assert.equal(await ask(name), 'NOERROR A 192.0.2.2 CNAME ftp.example.com.');
  await client.update(SERVICES, service('out', { clusterIP: '10.96.0.9' }));
  assert.equal(await ask(name), 'NOERROR A 10.96.0.9');
});

test('a namespace that is made', async () => {
  assert.equal(await ask('new.svc.cluster.local.'), 'NXDOMAIN');
  await client.create(NAMESPACES, { metadata: { name: 'new' } });
  assert.equal(await ask('new.svc.cluster.local.'), 'NOERROR');
});

test('names outside are not asked for again because the cluster changes', async () => {
  assert.equal(await ask('www.example.com.'), 'NOERROR A 192.0.2.1');
  const asked = upstream.questions.length;
  await client.create(SERVICES, service('other', { clusterIP: '10.96.0.10' }));
  assert.equal(await ask('www.example.com.'), 'NOERROR A 192.0.2.1');
  assert.equal(await ask('9.9.9.10.in-addr.arpa.', TYPE.PTR), 'NXDOMAIN');
  await client.delete(SERVICES, 'other', 'default');
  assert.equal(await ask('9.9.9.10.in-addr.arpa.', TYPE.PTR), 'NXDOMAIN');
  assert.equal(upstream.questions.length, asked + 1);
});
