import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { FakeClock } from '../../lib/clock.ts';
import { traitsOf, type Server } from './chain.ts';
import { fakeRuntime } from '../fake-runtime.ts';
import type { Asker, Block, Handler } from '../plugin.ts';
import { cachePlugin } from '../plugins/cache/plugin.ts';
import { answerFrom } from '../plugins/kubernetes/handler.ts';
import { rulesOf } from '../plugins/kubernetes/rules.ts';
import { loadbalancePlugin } from '../plugins/loadbalance/plugin.ts';
import { fixedView } from '../plugins/kubernetes/cluster-view.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Record } from '../wire/message.ts';
import { rcodeName, recordText } from '../wire/record-text.ts';
import { respond, type RespondContext } from './respond.ts';
import { Router } from './router.ts';
import { replyBytes } from '../sockets/reply-bytes.ts';
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts';

const headless = Array.from({ length: 40 }, (_, at) => ({ addresses: [`10.244.0.${String(at)}`] }));
const view = fixedView({
  namespaces: ['default'],
  services: [
    { metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.7' } },
    { metadata: { name: 'many', namespace: 'default' }, spec: { clusterIP: 'None' } },
    { metadata: { name: 'out', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'example.com' } },
  ],
  slices: [
    {
      metadata: { name: 'many-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'many' } },
      addressType: 'IPv4',
      endpoints: headless,
    },
  ],
});

const address = (name: string, text: string, ttl = 60): Record => ({ name, ttl, type: TYPE.A, address: text });

const asker: Asker = { address: '10.244.0.9', port: 40_000, transport: 'udp' };

/** A world whose upstream knows example.com, and counts how often it is asked; the chain is loadbalance, cache, kubernetes, forward. */
function world({ hasSynced = true, recurses = true }: WorldOptions = {}) {
  const asked: string[] = [];
  const clock = new FakeClock();
  const forward: Handler = ({ message, question }) => {
    asked.push(question.name);
    const answers = question.name === 'example.com.' ? [address('example.com.', '192.0.2.1')] : [];
    const rcode = answers.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN;
    return Promise.resolve({ message: { ...replyTo(message, rcode), answers }, from: 'forward' });
  };
  const runtime = fakeRuntime({ clock });
  const lookUp: Block['lookUp'] = async (question, inner) => handler({ ...inner, question });
  const block: Block = { zones: ['.'], server: 'dns://:53', runtime, lookUp };
  const place = { file: 'Corefile', line: 1 };
  const loadbalance = loadbalancePlugin.setup([{ name: 'loadbalance', args: [], place }], block);
  const zones = ['cluster.local.', 'in-addr.arpa.'];
  const rules = rulesOf({ zones, pods: 'insecure' });
  const cluster = answerFrom(
    () => ({ ...view, hasSynced: () => hasSynced }),
    { rules, lookUp, fallthrough: ['in-addr.arpa.'] },
    forward,
  );
  const cached = cachePlugin.setup([{ name: 'cache', args: ['30'], place }], block).wrap?.(cluster) ?? cluster;
  const handler = loadbalance.wrap?.(cached) ?? cached;
  const plugins = [{ name: 'forward', instance: { recurses } }];
  const server: Server = { block, place, port: 53, handler, plugins, traits: traitsOf(plugins), keeps: () => false };
  const context: RespondContext = { router: new Router([server]), clock, metrics: runtime.metrics };
  const ask = async (message: Message) => (await respond(message, asker, context))?.message;
  return { asked, clock, context, ask };
}

interface WorldOptions {
  readonly hasSynced?: boolean;
  readonly recurses?: boolean;
}

const query = (name: string, type: number = TYPE.A, change: Partial<Message> = {}): Message => ({
  ...queryFor(9, { name, type, class: CLASS_IN }),
  ...change,
});

const inShort = (reply: Message | undefined) =>
  reply &&
  [rcodeName(reply.rcode), ...(reply.authoritative ? ['aa'] : []), ...reply.answers.map(recordText)].join(' | ');

const web = 'web.default.svc.cluster.local.';
const edns = { size: 4096, version: 0, dnssecOk: false };

for (const [why, asked, expected] of [
  ['a name of the cluster is answered with authority', query(web), `NOERROR | aa | ${web} 5 IN A 10.96.0.7`],
  ['one that is not there as well', query('no.default.svc.cluster.local.'), 'NXDOMAIN | aa'],
  ['another name is relayed without', query('example.com.'), 'NOERROR | example.com. 30 IN A 192.0.2.1'],
  [
    'an alias out of the cluster brings its addresses',
    query('out.default.svc.cluster.local.'),
    'NOERROR | aa | out.default.svc.cluster.local. 5 IN CNAME example.com. | example.com. 5 IN A 192.0.2.1',
  ],
  ['an unknown reverse name is relayed', query('1.2.0.192.in-addr.arpa.', TYPE.PTR), 'NXDOMAIN'],
  ['a transfer is refused', query('cluster.local.', TYPE.AXFR), 'REFUSED'],
  ['another class is refused', query(web, TYPE.A, { questions: [{ name: web, type: TYPE.A, class: 3 }] }), 'REFUSED'],
  ['an update is not for us', query(web, TYPE.A, { opcode: 5 }), 'NOTIMP'],
  ['no question is an error', query(web, TYPE.A, { questions: [] }), 'FORMERR'],
  [
    'two questions are an error',
    query(web, TYPE.A, { questions: [1, 2].map(() => ({ name: web, type: 1, class: 1 })) }),
    'FORMERR',
  ],
  ['a later EDNS is told which one we speak', query(web, TYPE.A, { edns: { ...edns, version: 1 } }), 'BADVERS'],
] as const) {
  test(why, async () => {
    assert.equal(inShort(await world().ask(asked)), expected);
  });
}

test('an answer is not answered', async () => {
  assert.equal(await world().ask(query(web, TYPE.A, { isResponse: true })), undefined);
});

test('before everything is known no name of the cluster is denied, and others work', async () => {
  const { ask } = world({ hasSynced: false });
  for (const name of [web, 'no.default.svc.cluster.local.', '7.0.96.10.in-addr.arpa.']) {
    assert.equal(inShort(await ask(query(name))), 'SERVFAIL', name);
  }
  assert.equal(inShort(await ask(query('example.com.'))), 'NOERROR | example.com. 30 IN A 192.0.2.1');
});

test('recursion is available where a plugin offers it', async () => {
  for (const recurses of [true, false]) {
    assert.equal((await world({ recurses }).ask(query(web)))?.recursionAvailable, recurses);
  }
});

test('a forwarded answer is asked for once, and grows older', async () => {
  const { ask, asked, clock } = world();
  await ask(query('example.com.'));
  clock.advance(20_000);
  assert.equal(inShort(await ask(query('EXAMPLE.com.'))), 'NOERROR | EXAMPLE.com. 10 IN A 192.0.2.1');
  assert.deepEqual(asked, ['example.com.']);
  clock.advance(11_000);
  await ask(query('example.com.'));
  assert.equal(asked.length, 2);
});

test('EDNS is answered with EDNS, and addresses come in any order', async () => {
  const { ask } = world();
  const reply = await ask(query('many.default.svc.cluster.local.', TYPE.A, { edns }));
  assert.equal(reply?.edns?.size, 1232);
  const [first] = reply.answers;
  assert.equal(first?.type === TYPE.A && first.address, '10.244.0.1');
  assert.equal((await ask(query(web)))?.edns, undefined);
});

for (const [transport, size, expected] of [
  ['udp', undefined, true],
  ['udp', 1232, false],
  ['tcp', undefined, false],
] as const) {
  test(`40 addresses over ${transport} ${size === undefined ? 'without EDNS' : `with EDNS ${String(size)}`}: ${expected ? 'cut off' : 'whole'}`, async () => {
    const { context } = world();
    const asked = query(
      'many.default.svc.cluster.local.',
      TYPE.A,
      size === undefined ? {} : { edns: { ...edns, size } },
    );
    const by = { ...asker, transport };
    const bytes = await replyBytes(encodeMessage(asked, 512), by, (each) => respond(each, by, context), silentLog);
    const reply = decodeMessage(bytes ?? Buffer.of());
    assert.deepEqual([reply.truncated, reply.answers.length === 40], [expected, !expected]);
  });
}

test('a broken question is told so, garbage too short for an id is left alone, and a crash is a SERVFAIL', async () => {
  const broken = Buffer.from('abcd01000001000000000000c00c', 'hex');
  const fail = () => Promise.reject(new Error('our bug'));
  const formErr = await replyBytes(broken, asker, fail, silentLog);
  assert.deepEqual([formErr?.readUInt16BE(0), (formErr?.readUInt8(3) ?? 0) & 15], [0xabcd, RCODE.FORMERR]);
  assert.equal(await replyBytes(Buffer.of(1, 2, 3), asker, fail, silentLog), undefined);
  const crashed = await replyBytes(encodeMessage(query(web), 512), asker, fail, silentLog);
  assert.equal(decodeMessage(crashed ?? Buffer.of()).rcode, RCODE.SERVFAIL);
});
