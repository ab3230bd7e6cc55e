import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ENDPOINT_SLICES } from '../../../api/kinds.ts';
import type { EndpointSlice, KubeObject } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { FakeClock } from '../../../lib/clock.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/directive.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import type { Handler, PluginInstance, Query, Reply, Runtime, TrailStep } from '../../plugin.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message } from '../../wire/message.ts';
import { recordText } from '../../wire/record-text.ts';
import { kubernetesPlugin } from './plugin.ts';

const made = (kind: string, name: string, rest: object, namespace?: string): KubeObject => ({
  apiVersion: kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1',
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
  ...rest,
});
const node = (name: string, zone: string) =>
  made('Node', name, { metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } } });
const pod = (name: string, nodeName: string, podIP: string, hostNetwork = false) =>
  made(
    'Pod',
    name,
    { spec: { nodeName, hostNetwork, containers: [{ name: 'c', image: 'i' }] }, status: { phase: 'Running', podIP } },
    'default',
  );
const slice = (service: string, endpoints: EndpointSlice['endpoints'], trigger?: string): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: `${service}-1`,
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': service },
    ...(trigger !== undefined && { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': trigger } }),
  },
  addressType: 'IPv4',
  endpoints,
});

const OBJECTS: readonly KubeObject[] = [
  made('Namespace', 'default', {}),
  made('Service', 'web', { spec: { clusterIP: '10.96.0.7' } }, 'default'),
  made('Service', 'set', { spec: { clusterIP: 'None', selector: { app: 'set' } } }, 'default'),
  made('Service', 'manual', { spec: { clusterIP: 'None' } }, 'default'),
  made('Service', 'one', { spec: { clusterIP: 'None' } }, 'default'),
  made('Service', 'out', { spec: { type: 'ExternalName', externalName: 'www.example.com' } }, 'default'),
  slice('set', [
    { addresses: ['10.244.1.1'], zone: 'zone-a' },
    { addresses: ['10.244.2.1'], zone: 'zone-b' },
  ]),
  slice('one', [{ addresses: ['10.244.1.1'], zone: 'zone-a' }]),
  node('node01', 'zone-a'),
  node('node02', 'Zone-B'),
  pod('client-a', 'node01', '10.244.1.9'),
  pod('client-b', 'node02', '10.244.2.9'),
  pod('on-host', 'node02', '172.30.0.12', true),
];

interface World {
  readonly instance: PluginInstance;
  readonly client: FakeClient;
  readonly runtime: Runtime;
  readonly clock: FakeClock;
  ask(name: string, from?: string, type?: number, trail?: TrailStep[]): Promise<Reply>;
  metadata(name: string, from: string): Record<string, string>;
}

function directiveOf(text: string): Directive {
  const [block] = parseCorefile(`.:53 {\n${text}\n}\n`, { file: 'Corefile', environment: () => undefined });
  const [directive] = block?.directives ?? [];
  assert.ok(directive);
  return directive;
}

/** @param next what the plugin behind says; what the whole server says of other names too */
async function world(options: string, next?: (query: Query) => Partial<Reply> & { message: Message }): Promise<World> {
  const client = new FakeClient(OBJECTS);
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const runtime = fakeRuntime({ client, clock, nodeName: 'node01', ownAddresses: ['172.30.0.11'] });
  const behind: Handler = (query) => ({
    from: 'forward',
    ...(next?.(query) ?? { message: replyTo(query.message, RCODE.NXDOMAIN) }),
  });
  const lookUp = (question: Query['question'], query: Query) => Promise.resolve(behind({ ...query, question }));
  const block = { zones: ['.'], server: 'dns://:53', runtime, lookUp };
  const instance = kubernetesPlugin.setup(
    [directiveOf(`kubernetes cluster.local in-addr.arpa {\n${options}\n}`)],
    block,
  );
  await instance.start?.();
  const queryOf = (name: string, address: string, type: number = TYPE.A): Query => {
    const question = { name, type, class: CLASS_IN };
    return { message: queryFor(1, question), question, asker: { address, port: 1, transport: 'udp' }, at: 0 };
  };
  return {
    instance,
    client,
    runtime,
    clock,
    async ask(name, from = '10.244.1.9', type, trail) {
      const reply = await instance.wrap?.(behind)({ ...queryOf(name, from, type), ...(trail && { trail }) });
      assert.ok(reply);
      return reply;
    },
    metadata(name, from) {
      const found = new Map<string, () => string>();
      instance.describe?.(queryOf(name, from), found);
      return Object.fromEntries([...found].map(([key, value]) => [key, value()]));
    },
  };
}

const answersOf = ({ message }: Reply) => message.answers.map((record) => recordText(record).split(' IN ')[1]);

const SET = 'set.default.svc.cluster.local.';

test('a reply says what it was made from, and may be kept while that is so', async () => {
  const { ask } = await world('');
  const web = await ask('web.default.svc.cluster.local.');
  assert.deepEqual(
    [web.from, web.holds, web.until, web.transient],
    ['kubernetes', ['service/default/web'], undefined, undefined],
  );
  assert.deepEqual((await ask('nope.default.svc.cluster.local.')).holds, ['service/default/nope']);
  assert.deepEqual((await ask('other.svc.cluster.local.')).holds, ['namespace/other']);
  assert.deepEqual((await ask('7.0.96.10.in-addr.arpa.', undefined, TYPE.PTR)).holds, ['address/10.96.0.7']);
  assert.deepEqual((await ask('cluster.local.', undefined, TYPE.SOA)).holds, ['zone']);
  assert.deepEqual((await ask('dns-version.cluster.local.', undefined, TYPE.TXT)).holds, []);
});

test('what others say of a name that falls through ends when the cluster has it', async () => {
  const { ask } = await world('fallthrough');
  const reply = await ask('1.0.96.10.in-addr.arpa.', undefined, TYPE.PTR);
  assert.deepEqual([reply.from, reply.holds, reply.until], ['forward', undefined, ['address/10.96.0.1']]);
});

const found = ({ message, question }: Query): { message: Message } => ({
  message: {
    ...replyTo(message, RCODE.NOERROR),
    answers: [{ name: question.name, ttl: 60, type: TYPE.A, address: '192.0.2.1' }],
  },
});

test('an alias with what is behind it may be kept by its TTL, and no longer than the Service is', async () => {
  const { ask } = await world('', found);
  const reply = await ask('out.default.svc.cluster.local.');
  assert.deepEqual(answersOf(reply), ['CNAME www.example.com.', 'A 192.0.2.1']);
  assert.deepEqual([reply.holds, reply.until, reply.transient], [undefined, ['service/default/out'], undefined]);
});

test('an alias to what the cluster has under another name holds as that does', async () => {
  const { ask } = await world('', (query) => ({ ...found(query), holds: ['service/default/web'] }));
  const { holds, until } = await ask('out.default.svc.cluster.local.');
  assert.deepEqual([holds, until], [['service/default/out', 'service/default/web'], undefined]);
});

for (const [why, rcode, transient] of [
  ['that nobody knows stands alone', RCODE.NXDOMAIN, undefined],
  ['that cannot be asked for stands alone, for this time', RCODE.SERVFAIL, true],
] as const) {
  test(`an alias to a name ${why}`, async () => {
    const { ask } = await world('', ({ message }) => ({ message: replyTo(message, rcode) }));
    const reply = await ask('out.default.svc.cluster.local.');
    assert.deepEqual(
      [reply.message.rcode, answersOf(reply), reply.transient],
      [RCODE.NOERROR, ['CNAME www.example.com.'], transient],
    );
  });
}

test('an alias to an answer that was cut off is cut off', async () => {
  const { ask } = await world('', (query) => ({ message: { ...found(query).message, truncated: true } }));
  assert.equal((await ask('out.default.svc.cluster.local.')).message.truncated, true);
});

test('a trail says what an answer was made from', async () => {
  const { ask } = await world('fallthrough in-addr.arpa');
  const trail: TrailStep[] = [];
  await ask('web.default.svc.cluster.local.', undefined, TYPE.A, trail);
  await ask('9.9.9.10.in-addr.arpa.', undefined, TYPE.PTR, trail);
  assert.deepEqual(trail, [
    { plugin: 'kubernetes', text: '1 record: Service default/web with cluster IP 10.96.0.7' },
    { plugin: 'kubernetes', text: 'knows no such name, and lets the next plugin answer' },
  ]);
});

test('with Pods known, each asker gets the endpoints of its own zone, and nobody keeps them for others', async () => {
  const { ask } = await world('prefer_zone\npods verified');
  for (const [from, expected] of [
    ['10.244.1.9', ['A 10.244.1.1']],
    ['10.244.2.9', ['A 10.244.2.1']],
    // Of the Node that the server is on: who it is is not known, or not for certain.
    ['192.0.2.9', ['A 10.244.1.1']],
    ['172.30.0.12', ['A 10.244.1.1']],
  ] as const) {
    const reply = await ask(SET, from);
    assert.deepEqual(answersOf(reply), expected, from);
    assert.deepEqual([reply.transient, reply.holds], [true, undefined], from);
  }
  assert.deepEqual(
    (await ask('one.default.svc.cluster.local.', '10.244.2.9')).holds,
    ['service/default/one'],
    'the same for all',
  );
});

test('without Pods the zone is that of the Node, for all who ask, and the answer may be kept', async () => {
  const { ask } = await world('prefer_zone');
  const reply = await ask(SET, '10.244.2.9');
  assert.deepEqual(answersOf(reply), ['A 10.244.1.1']);
  assert.deepEqual([reply.transient, reply.holds], [undefined, ['service/default/set']]);
});

test('without the option everyone gets all', async () => {
  const { ask } = await world('pods verified');
  assert.deepEqual(answersOf(await ask(SET)), ['A 10.244.1.1', 'A 10.244.2.1']);
});

test('4-045 metadata: the parts of the name, and with Pods known whoever asks', async () => {
  const { metadata } = await world('pods verified\nzonal');
  const none = {
    'kubernetes/endpoint': '',
    'kubernetes/kind': '',
    'kubernetes/namespace': '',
    'kubernetes/port-name': '',
    'kubernetes/protocol': '',
    'kubernetes/service': '',
    'kubernetes/zone': '',
  };
  const web = { ...none, 'kubernetes/kind': 'svc', 'kubernetes/namespace': 'default', 'kubernetes/service': 'web' };
  const client = { 'kubernetes/client-namespace': 'default', 'kubernetes/client-pod-name': 'client-a' };
  for (const [name, from, expected] of [
    ['Web.default.svc.cluster.local.', '10.244.1.9', { ...web, ...client }],
    ['x.web.default.svc.cluster.local.', '192.0.2.1', { ...web, 'kubernetes/endpoint': 'x' }],
    [
      '_http._tcp.web.default.svc.cluster.local.',
      '172.30.0.12',
      { ...web, 'kubernetes/port-name': 'http', 'kubernetes/protocol': 'tcp' },
    ],
    ['zone-a.pin._zone.web.default.svc.cluster.local.', '192.0.2.1', { ...web, 'kubernetes/zone': 'zone-a' }],
    [
      '10-0-0-1.default.pod.cluster.local.',
      '192.0.2.1',
      { ...none, 'kubernetes/kind': 'pod', 'kubernetes/namespace': 'default' },
    ],
    ['cluster.local.', '192.0.2.1', none],
    ['www.example.com.', '10.244.1.9', client],
  ] as const) {
    assert.deepEqual(metadata(name, from), expected, `${name} from ${from}`);
  }
});

test('4-026 the name servers are the Services in front of this server', async () => {
  const { ask, client } = await world('');
  await client.create(ENDPOINT_SLICES, slice('web', [{ addresses: ['172.30.0.11'] }, { addresses: ['172.30.0.12'] }]));
  await new Promise(setImmediate);
  const reply = await ask('cluster.local.', undefined, TYPE.NS);
  assert.deepEqual(answersOf(reply), ['NS web.default.svc.cluster.local.']);
  assert.deepEqual(reply.message.additionals.map(recordText), ['web.default.svc.cluster.local. 5 IN A 10.96.0.7']);
});

test('4-062 how long a change of a headless Service took, once for each change', async () => {
  const { client, clock, runtime } = await world('');
  const endpoints = [{ addresses: ['10.244.1.1'] }];
  const settle = () => new Promise(setImmediate);
  clock.advance(10_000);
  await client.update(ENDPOINT_SLICES, slice('set', endpoints, '2026-01-01T00:00:08Z'));
  await client.update(
    ENDPOINT_SLICES,
    slice('set', [...endpoints, { addresses: ['10.244.1.2'] }], '2026-01-01T00:00:08Z'),
  );
  await client.create(ENDPOINT_SLICES, slice('manual', endpoints, '2026-01-01T00:00:09.5Z'));
  await client.create(ENDPOINT_SLICES, slice('web', endpoints, '2026-01-01T00:00:09Z'));
  // Before this program began, and no time at all.
  await client.update(ENDPOINT_SLICES, slice('one', endpoints, '2025-12-31T00:00:00Z'));
  await client.update(ENDPOINT_SLICES, slice('one', endpoints, 'yesterday'));
  await settle();
  const text = runtime.metrics.render();
  const name = 'coredns_kubernetes_dns_programming_duration_seconds';
  assert.match(text, new RegExp(`${name}_count\\{service_kind="headless_with_selector"\\} 1\\n`));
  assert.match(text, new RegExp(`${name}_sum\\{service_kind="headless_with_selector"\\} 2\\n`));
  assert.match(text, new RegExp(`${name}_sum\\{service_kind="headless_without_selector"\\} 0.5\\n`));
  assert.doesNotMatch(text, /service_kind="cluster_ip"/);
});

test('4-042 files that connections name are read at once, and told of with their line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dns-'));
  const broken = join(folder, 'kubeconfig');
  writeFileSync(broken, 'contexts: []');
  const block = { zones: ['.'], server: 'dns://:53', runtime: fakeRuntime() };
  for (const [options, reason] of [
    ['', /^Corefile:2: kubernetes: there is no API server to ask: expected endpoint or kubeconfig/],
    ['kubeconfig /nonexistent', /^Corefile:3: kubernetes: kubeconfig \/nonexistent: ENOENT/],
    [`kubeconfig ${broken}`, /^Corefile:3: kubernetes: .*has no current-context/],
    [
      'endpoint https://10.0.0.1\ntls /nonexistent/cert /nonexistent/key /nonexistent/ca',
      /^Corefile:4: kubernetes: ENOENT/,
    ],
    ['endpoint 10.0.0.1:6443', /^Corefile:3: kubernetes: expected the URL of an API server such as https:/],
  ] as const) {
    const directive = directiveOf(`kubernetes cluster.local {\n${options}\n}`);
    assert.throws(
      () => kubernetesPlugin.setup([directive], block),
      (error) => error instanceof CorefileError && reason.test(error.message),
      options,
    );
  }
  const twice = directiveOf('kubernetes cluster.local');
  assert.throws(
    () => kubernetesPlugin.setup([twice, twice], block),
    /this plugin can only be used once per server block/,
  );
  rmSync(folder, { recursive: true });
});
