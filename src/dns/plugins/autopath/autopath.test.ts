/** By the whole server: a Pod that asks for a name with its search list appended gets the answer it was going for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type { KubeObject, Pod } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import type { Handler } from '../../plugin.ts';
import { runDns, type RunningDns } from '../../run.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';
import { rulesOf } from '../kubernetes/rules.ts';
import { offerSearchPath } from '../kubernetes/search-path.ts';
import { autopathPlugin } from './plugin.ts';

const pod = (name: string, namespace: string, podIP: string, more: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName: 'node01', containers: [{ name: 'c', image: 'i' }], ...more },
    status: { phase: 'Running', podIP },
  }) as KubeObject;
const service = (name: string, namespace: string, spec: object): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }) as KubeObject;

const objects: KubeObject[] = [
  ...['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  service('web', 'a', { clusterIP: '10.96.0.1' }),
  service('api', 'b', { clusterIP: '10.96.0.2' }),
  pod('client', 'a', '10.244.0.5'),
  pod('host-1', 'a', '172.30.0.11', { hostNetwork: true }),
];

const folder = mkdtempSync(join(tmpdir(), 'autopath-'));
const resolvConf = join(folder, 'resolv.conf');
writeFileSync(resolvConf, 'search node.example\n');

const cluster = 'kubernetes cluster.local {\npods verified\n}';
const corefile = `.:53 {\nautopath @kubernetes\n${cluster}\n}\n`;
let dns: RunningDns;

before(async () => {
  dns = runDns({
    client: new FakeClient(objects),
    corefile: { file: 'Corefile', text: corefile },
    listen: { addresses: ['127.0.0.1'], port: 0 },
    resolvConf,
    log: silentLog,
  });
  await dns.ready;
});

after(async () => {
  await dns.stop();
  rmSync(folder, { recursive: true });
});

async function ask(name: string, address: string, type: number = TYPE.A): Promise<string> {
  const query = queryFor(1, { name, type, class: CLASS_IN });
  const reply = await dns.ask(query, { address, port: 1, transport: 'udp' });
  assert.ok(reply);
  assert.equal(reply.message.questions[0]?.name, name);
  const { rcode, answers } = reply.message;
  return [rcodeName(rcode), ...answers.map(recordText)].join(' | ');
}

const CLIENT = '10.244.0.5';
for (const [why, name, address, expected] of [
  [
    'the first element is answered as it is',
    'web.a.svc.cluster.local.',
    CLIENT,
    'NOERROR | web.a.svc.cluster.local. 5 IN A 10.96.0.1',
  ],
  [
    'a later element is answered behind an alias',
    'api.b.a.svc.cluster.local.',
    CLIENT,
    'NOERROR | api.b.a.svc.cluster.local. 5 IN CNAME api.b.svc.cluster.local. | api.b.svc.cluster.local. 5 IN A 10.96.0.2',
  ],
  [
    'the case of the name stays',
    'API.b.A.svc.cluster.LOCAL.',
    CLIENT,
    'NOERROR | API.b.A.svc.cluster.LOCAL. 5 IN CNAME API.b.svc.cluster.local. | API.b.svc.cluster.local. 5 IN A 10.96.0.2',
  ],
  [
    'what a Node adds is gone along too',
    'web.a.svc.a.svc.cluster.local.',
    CLIENT,
    /CNAME web\.a\.svc\.cluster\.local\. \|/,
  ],
  ['a name that is nowhere is denied as it was asked', 'nope.a.svc.cluster.local.', CLIENT, 'NXDOMAIN'],
  ['other search paths than its own are not gone along', 'api.b.b.svc.cluster.local.', CLIENT, 'NXDOMAIN'],
  ['who is no Pod has no search path', 'api.b.a.svc.cluster.local.', '192.0.2.1', 'NXDOMAIN'],
  ['nor has a Pod on the network of its Node', 'api.b.a.svc.cluster.local.', '172.30.0.11', 'NXDOMAIN'],
] as const) {
  test(why, async () => {
    const got = await ask(name, address);
    if (typeof expected === 'string') assert.equal(got, expected);
    else assert.match(got, expected);
  });
}

test('neither what was found on the way nor a denial is kept for others', async () => {
  for (const [name, address, mayKeep] of [
    ['api.b.a.svc.cluster.local.', CLIENT, true],
    ['api.b.a.svc.cluster.local.', '192.0.2.1', true],
    ['web.a.svc.cluster.local.', CLIENT, undefined],
  ] as const) {
    const query = queryFor(1, { name, type: TYPE.A, class: CLASS_IN });
    const reply = await dns.ask(query, { address, port: 1, transport: 'udp' });
    assert.equal(reply?.transient, mayKeep, name);
    assert.equal(reply?.mayKeep, false);
  }
});

test("the path is the Pod's and what its Node adds, and the name as it is last", async () => {
  const asked: string[] = [];
  const query = queryFor(1, { name: 'x.a.svc.cluster.local.', type: TYPE.A, class: CLASS_IN });
  const next: Handler = ({ question }) => {
    asked.push(question.name);
    return { message: replyTo(query, RCODE.NXDOMAIN), from: 'forward' };
  };
  const [question] = query.questions;
  assert.ok(question);
  const place = { file: 'Corefile', line: 1 };
  const block = { zones: ['.'], server: 'dns://:53', runtime: dns.runtime };
  offerSearchPath(block, { zones: rulesOf().zones, podOf: () => pod('client', 'a', CLIENT) as Pod });
  const instance = autopathPlugin.setup([{ name: 'autopath', args: ['@kubernetes'], place }], block);
  const asker = { address: CLIENT, port: 1, transport: 'udp' } as const;
  const reply = await instance.wrap?.(next)({ message: query, question, asker, at: 0 });
  assert.equal(reply?.message.rcode, RCODE.NXDOMAIN);
  assert.deepEqual(asked, [
    'x.a.svc.cluster.local.',
    'x.svc.cluster.local.',
    'x.cluster.local.',
    'x.node.example.',
    'x.',
  ]);
});

test('successes are counted', () => {
  assert.match(dns.runtime.metrics.render(), /coredns_autopath_success_total\{server="dns:\/\/:53"\} [1-9]/);
});

for (const [lines, reason] of [
  ['autopath', /^Corefile:2: autopath: expected a file such as \/etc\/resolv.conf, or @kubernetes/],
  ['autopath @erratic', /^Corefile:2: autopath: plugin erratic knows no search path, kubernetes does/],
  ['autopath @kubernetes', /^Corefile:2: autopath: @kubernetes needs the plugin kubernetes in the same block/],
  ['autopath /nonexistent', /^Corefile:2: autopath: .*no such file/],
  [
    `autopath @kubernetes\nautopath @kubernetes\n${cluster}`,
    /^Corefile:3: autopath: this plugin can only be used once/,
  ],
] as const) {
  test(`refused: ${lines.split('\n')[0] ?? ''}`, async () => {
    await assert.rejects(dns.load(`.:53 {\n${lines}\n}\n`), (error: Error) => reason.test(error.message));
  });
}
