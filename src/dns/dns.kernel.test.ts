/** The real sockets, asked by the real dig, in a network namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { ENDPOINT_SLICES, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Namespace, Service } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { silentLog } from '../lib/log.ts';
import { defaultCorefile } from './corefile/default-corefile.ts';
import { RCODE, replyTo, TYPE, type Message } from './wire/message.ts';
import { runDns, type RunningDns } from './run.ts';
import { serveDns, type DnsSockets } from './sockets/serve.ts';

requireOuterNamespace();

const run = promisify(execFile);

const objects: (Namespace | Service | EndpointSlice)[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '10.96.0.7', ports: [{ name: 'http', protocol: 'TCP', port: 80 }] },
  },
  { apiVersion: 'v1', kind: 'Service', metadata: { name: 'many', namespace: 'default' }, spec: { clusterIP: 'None' } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'out', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'www.example.test' },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'many-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'many' } },
    addressType: 'IPv4',
    endpoints: Array.from({ length: 200 }, (_, at) => ({ addresses: [`10.244.0.${String(at)}`] })),
    ports: [],
  },
];

/** An upstream for example.test: `big` needs TCP, `dead` is not answered. */
function upstream(query: Message): Promise<{ message: Message } | undefined> {
  const [question] = query.questions;
  // The letters come in any case.
  if (!question || question.name.toLowerCase().startsWith('dead.')) return Promise.resolve(undefined);
  const count = question.name.toLowerCase().startsWith('big.') ? 200 : 1;
  const answers = Array.from({ length: count }, (_, at) => ({
    name: question.name,
    ttl: 60,
    type: TYPE.A,
    address: `192.0.2.${String(at)}`,
  }));
  return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers } });
}

const client = new FakeClient(objects);
const port = 5353;
const corefile = defaultCorefile()
  .replace('ttl 30', '')
  .replace('/etc/resolv.conf', '127.0.0.3 127.0.0.2')
  .replace('lameduck 5s', '');
let other: DnsSockets;
let dns: RunningDns;

before(async () => {
  other = await serveDns({ address: '127.0.0.2', port: 53, respond: upstream, log: silentLog });
  dns = runDns({
    client,
    corefile: { file: 'Corefile', text: corefile },
    listen: { addresses: ['127.0.0.1'], port },
    log: silentLog,
  });
  await dns.ready;
});

after(async () => {
  await dns.stop();
  await other.close();
});

async function dig(...args: string[]): Promise<string> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), '+time=5', '+tries=1', ...args]);
  return stdout;
}
const short = async (...args: string[]) => (await dig('+short', ...args)).trim().split('\n').filter(Boolean);

test('dig gets addresses, ports and names, over UDP and over TCP', async () => {
  for (const transport of ['+notcp', '+tcp']) {
    assert.deepEqual(await short(transport, 'web.default.svc.cluster.local'), ['10.96.0.7']);
    assert.deepEqual(await short(transport, '_http._tcp.web.default.svc.cluster.local', 'SRV'), [
      '0 100 80 web.default.svc.cluster.local.',
    ]);
    assert.deepEqual(await short(transport, '-x', '10.96.0.7'), ['web.default.svc.cluster.local.']);
    assert.deepEqual(await short(transport, 'dns-version.cluster.local', 'TXT'), ['"1.1.0"']);
  }
});

test('dig sees authority, NODATA and NXDOMAIN as they are meant', async () => {
  const noData = await dig('web.default.svc.cluster.local', 'AAAA');
  assert.match(noData, /status: NOERROR/);
  assert.match(noData, /flags: qr aa rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 1/);
  assert.match(
    await dig('nope.default.svc.cluster.local'),
    /status: NXDOMAIN[^]*SOA\s+ns\.dns\.cluster\.local\. hostmaster/,
  );
  assert.doesNotMatch(noData, /malformed|recursion requested but not available/);
});

test('an answer too large for UDP is cut off, and dig gets it whole over TCP', async () => {
  assert.match(await dig('+ignore', '+bufsize=1232', 'many.default.svc.cluster.local'), /flags: qr aa tc rd/);
  assert.equal((await short('many.default.svc.cluster.local')).length, 200);
});

test('other names come from the upstream that answers, aliases into them too', async () => {
  assert.deepEqual(await short('www.example.test'), ['192.0.2.0']);
  assert.deepEqual(await short('out.default.svc.cluster.local'), ['www.example.test.', '192.0.2.0']);
});

test('what the upstream cuts off is fetched over TCP', async () => {
  assert.equal((await short('big.example.test')).length, 200);
});

test('an upstream that says nothing is a SERVFAIL within its time', async () => {
  const began = Date.now();
  assert.match(await dig('dead.example.test'), /status: SERVFAIL/);
  // Before the resolvers of most systems give up.
  assert.ok(Date.now() - began < 5000);
});

test('a Service is known as soon as it is made, and forgotten as soon as it is gone', async () => {
  const name = 'new.default.svc.cluster.local';
  assert.deepEqual(await short(name), []);
  await client.create(SERVICES, { metadata: { name: 'new', namespace: 'default' }, spec: { clusterIP: '10.96.0.99' } });
  assert.deepEqual(await short(name), ['10.96.0.99']);
  await client.delete(SERVICES, 'new', 'default');
  await client.delete(ENDPOINT_SLICES, 'many-1', 'default');
  assert.match(await dig(name), /status: NXDOMAIN/);
  assert.match(await dig('many.default.svc.cluster.local'), /status: NXDOMAIN/);
});
