/** What upstreams are like and how they are asked: real sockets on the loopback link. */
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FakeClock, realClock } from '../../../lib/clock.ts';
import { RCODE, replyTo, TYPE, type Message } from '../../wire/message.ts';
import {
  fakeUpstream,
  recordOf,
  type Answering,
  type FakeUpstream,
  type FakeUpstreamOptions,
} from './fake-upstream.ts';
import { forwarding, type Forwarding } from './forwarding.ts';

const open: { close(): Promise<void> }[] = [];
after(async () => {
  for (const each of open) await each.close();
});

async function server(answer: Answering, options?: FakeUpstreamOptions): Promise<FakeUpstream> {
  const fake = await fakeUpstream(answer, options);
  open.push(fake);
  return fake;
}

async function forwardTo(...args: Parameters<typeof forwarding>): Promise<Forwarding> {
  const forward = await forwarding(...args);
  open.push({ close: () => forward.stop() });
  return forward;
}

const nameOf = ({ questions }: Message): string => questions[0]?.name ?? '';
const answering =
  (address: string, change: Partial<Message> = {}): Answering =>
  ({ query }) => ({
    ...replyTo(query, RCODE.NOERROR),
    answers: [recordOf(`${nameOf(query)} 60 A ${address}`)],
    ...change,
  });
const good = answering('192.0.2.1');
const ANSWER = 'NOERROR www.example. 60 IN A 192.0.2.1';
const lower = (message: Message): Message => ({
  ...message,
  questions: message.questions.map((each) => ({ ...each, name: each.name.toLowerCase() })),
  answers: message.answers.map((each) => ({ ...each, name: each.name.toLowerCase() })),
});
const TCP = { asker: { transport: 'tcp' } } as const;

test('the question goes out with another id each time, letters in another case, and EDNS of 1232 bytes', async () => {
  const upstream = await server(good);
  const forward = await forwardTo(`forward . ${upstream.to}`);
  for (let at = 0; at < 8; at++)
    assert.equal(await forward.short('www.Example.'), 'NOERROR www.Example. 60 IN A 192.0.2.1');
  const queries = upstream.asked.map(({ query }) => query);
  assert.ok(new Set(queries.map(({ id }) => id)).size > 5);
  assert.ok(new Set(queries.map(nameOf)).size > 5);
  assert.ok(new Set(upstream.asked.map(({ port }) => port)).size > 5);
  assert.deepEqual(new Set(queries.map(({ edns }) => edns?.size)), new Set([1232]));
});

for (const [why, change, expected] of [
  ['nothing special', {}, { rd: true, cd: false, ad: false, dnssecOk: false }],
  ['no recursion', { recursionDesired: false }, { rd: false, cd: false, ad: false, dnssecOk: false }],
  ['unchecked data', { checkingDisabled: true }, { rd: true, cd: true, ad: false, dnssecOk: false }],
  ['whether it is authentic', { authenticData: true }, { rd: true, cd: false, ad: true, dnssecOk: false }],
  [
    'signatures',
    { edns: { size: 4096, version: 0, dnssecOk: true } },
    { rd: true, cd: false, ad: false, dnssecOk: true },
  ],
] as const) {
  test(`who asks for ${why} has it asked for, and is told AD only if he knows it`, async () => {
    const upstream = await server(answering('192.0.2.1', { authenticData: true }));
    const forward = await forwardTo(`forward . ${upstream.to}`);
    const { message } = await forward.ask('www.example.', { change });
    const {
      recursionDesired: rd,
      checkingDisabled: cd,
      authenticData: ad,
      edns,
    } = upstream.asked[0]?.query ?? assert.fail();
    assert.deepEqual({ rd, cd, ad, dnssecOk: edns?.dnssecOk }, expected);
    assert.equal(message.authenticData, expected.ad || expected.dnssecOk);
    assert.equal(message.checkingDisabled === true, expected.cd);
  });
}

test('what does not fit UDP is fetched over TCP', async () => {
  const upstream = await server((asked) =>
    asked.over === 'udp' ? { ...replyTo(asked.query, 0), truncated: true } : good(asked),
  );
  const forward = await forwardTo(`forward . ${upstream.to}`);
  assert.equal(await forward.short('www.example.'), ANSWER);
  assert.deepEqual(
    upstream.asked.map(({ over }) => over),
    ['udp', 'tcp'],
  );
});

test('half an answer is passed on as half an answer where there is no TCP', async () => {
  const upstream = await server(answering('192.0.2.1', { truncated: true }), { withoutTcp: true });
  const forward = await forwardTo(`forward . ${upstream.to}`);
  assert.equal(await forward.short('www.example.'), 'NOERROR tc www.example. 60 IN A 192.0.2.1');
});

for (const [why, refusal] of [
  ['FORMERR', (query: Message) => replyTo(query, RCODE.FORMERR)],
  ['NOTIMP', (query: Message) => replyTo(query, RCODE.NOTIMP)],
  ['FORMERR and no question', (query: Message) => ({ ...replyTo(query, RCODE.FORMERR), questions: [] })],
] as const) {
  test(`a server that answers EDNS with ${why} is asked without, and from then on at once`, async () => {
    const upstream = await server((asked) => {
      const { edns: _, ...plain } = asked.query;
      return asked.query.edns ? { ...refusal(plain), isResponse: true } : good(asked);
    });
    const forward = await forwardTo(`forward . ${upstream.to}`);
    for (const name of ['www.example.', 'www.example.']) assert.equal(await forward.short(name), ANSWER);
    assert.deepEqual(
      upstream.asked.map(({ query }) => query.edns !== undefined),
      [true, false, false],
    );
  });
}

test('a server that does not keep the case is asked over TCP once, and not tried again', async () => {
  const upstream = await server(async (asked) => lower((await good(asked)) as Message));
  const forward = await forwardTo(`forward . ${upstream.to}`);
  for (let at = 0; at < 3; at++)
    assert.equal(await forward.short('WWW.example.'), 'NOERROR WWW.example. 60 IN A 192.0.2.1');
  assert.deepEqual(
    upstream.asked.map(({ over }) => over),
    ['udp', 'tcp', 'udp', 'udp'],
  );
});

test('one that has no TCP either is asked without mixing, and not tried again', async () => {
  const upstream = await server(async (asked) => lower((await good(asked)) as Message), { withoutTcp: true });
  const forward = await forwardTo(`forward . ${upstream.to}`);
  for (let at = 0; at < 2; at++)
    assert.equal(await forward.short('WWW.example.'), 'NOERROR WWW.example. 60 IN A 192.0.2.1');
  assert.deepEqual(upstream.asked.map(({ query }) => nameOf(query)).slice(1), ['WWW.example.', 'WWW.example.']);
});

test('questions over TCP share a connection that is kept, and answers may come in any order', async () => {
  const waiting: (() => void)[] = [];
  const upstream = await server(async (asked) => {
    if (asked.query.questions[0]?.name === 'slow.example.') await new Promise<void>((resolve) => waiting.push(resolve));
    return good(asked);
  });
  const forward = await forwardTo(`forward . ${upstream.to} {\nforce_tcp\n}`);
  for (let at = 0; at < 3; at++) assert.equal(await forward.short('www.example.'), ANSWER);
  assert.deepEqual(
    upstream.asked.map(({ connection }) => connection),
    [1, 1, 1],
  );
  const names = Array.from({ length: 40 }, (_, at) => `n${String(at)}.example.`);
  const slow = forward.short('slow.example.');
  const others = await Promise.all(names.map((name) => forward.short(name)));
  assert.deepEqual(
    others,
    names.map((name) => `NOERROR ${name} 60 IN A 192.0.2.1`),
  );
  for (const go of waiting) go();
  assert.equal(await slow, 'NOERROR slow.example. 60 IN A 192.0.2.1');
  assert.ok(new Set(upstream.asked.map(({ connection }) => connection)).size <= 8);
  const metrics = forward.runtime.metrics.render();
  assert.match(metrics, /coredns_proxy_conn_cache_hits_total\{proxy_name="forward",to="[^"]+",proto="tcp"\} \d+/);
  assert.match(metrics, /coredns_proxy_conn_cache_misses_total\{proxy_name="forward",to="[^"]+",proto="tcp"\} [1-8]\n/);
});

test('a connection that the server closed meanwhile costs nothing', async () => {
  const upstream = await server(good);
  const forward = await forwardTo(`forward . ${upstream.to} {\nforce_tcp\n}`);
  assert.equal(await forward.short('www.example.'), ANSWER);
  await upstream.close();
  const again = await server(good, { port: upstream.port });
  assert.equal(await forward.short('www.example.'), ANSWER);
  assert.equal(again.questions.length, 1);
});

for (const [option, ask, over] of [
  ['', {}, 'udp'],
  ['', TCP, 'tcp'],
  ['prefer_udp', TCP, 'udp'],
  ['force_tcp', {}, 'tcp'],
  ['force_tcp\nprefer_udp', {}, 'tcp'],
] as const) {
  test(`${option.replace('\n', ' and ') || 'without options'}: asked over ${'asker' in ask ? 'TCP' : 'UDP'} it asks over ${over}`, async () => {
    const upstream = await server(good);
    const forward = await forwardTo(`forward . ${upstream.to} {\n${option}\n}`);
    assert.equal(await forward.short('www.example.', ask), ANSWER);
    assert.deepEqual(
      upstream.asked.map((each) => each.over),
      [over],
    );
  });
}

test('names outside FROM and under except are left to the next plugin, FROM itself never', async () => {
  const upstream = await server(good);
  const some = await forwardTo(`forward example ${upstream.to} {\nexcept internal.example\n}`);
  const all = await forwardTo(`forward example ${upstream.to} {\nexcept example\n}`);
  for (const [forward, name, from] of [
    [some, 'www.example.', 'forward'],
    [some, 'a.internal.example.', 'next'],
    [some, 'example.org.', 'next'],
    [all, 'www.example.', 'next'],
    [all, 'EXAMPLE.', 'forward'],
  ] as const) {
    assert.equal((await forward.ask(name)).from, from, name);
  }
});

test('the first forward that has the name is asked, and next hands on what it does not know', async () => {
  const [corp, rest, last] = [
    await server(({ query }) =>
      replyTo(query, nameOf(query).toLowerCase().startsWith('empty') ? RCODE.NOERROR : RCODE.NXDOMAIN),
    ),
    await server(answering('192.0.2.2')),
    await server(answering('192.0.2.3')),
  ];
  const forward = await forwardTo(
    [
      `forward corp.example ${corp.to} {\nnext NXDOMAIN\nnext_on_nodata\n}`,
      `forward example ${rest.to}`,
      `forward . ${last.to} {\nnext NOERROR\n}`,
    ].join('\n'),
  );
  for (const [name, source] of [
    ['www.corp.example.', rest.to],
    ['empty.corp.example.', rest.to],
    ['www.example.', rest.to],
    // The last has no forward behind it: next is of no use there.
    ['www.test.', last.to],
  ] as const) {
    assert.equal((await forward.ask(name)).source, source, name);
  }
});

test('the same question at the same time is asked once, and each asker is told in his own letters', async () => {
  const upstream = await server(good);
  const forward = await forwardTo(`forward . ${upstream.to}`);
  const told = await Promise.all(['www.example.', 'WWW.example.', 'www.EXAMPLE.'].map((name) => forward.short(name)));
  assert.deepEqual(
    told,
    ['www.example.', 'WWW.example.', 'www.EXAMPLE.'].map((name) => `NOERROR ${name} 60 IN A 192.0.2.1`),
  );
  assert.equal(upstream.asked.length, 1);
});

test('max_concurrent refuses what is too much, and one asker cannot take all of it', async () => {
  const released = Promise.withResolvers<undefined>();
  const upstream = await server(async (asked) => {
    await released.promise;
    return good(asked);
  });
  const forward = await forwardTo(`forward . ${upstream.to} {\nmax_concurrent 10\n}`);
  const flood = (address: string, count: number) =>
    Array.from({ length: count }, async (_, at) => {
      const { message } = await forward.ask(`n${String(at)}.${address}.example.`, { asker: { address } });
      return message.rcode === RCODE.REFUSED ? 'refused' : 'served';
    });
  const told = [flood('10.244.0.1', 20), flood('10.244.0.2', 2), flood('10.244.0.3', 1)];
  released.resolve(undefined);
  const counts = await Promise.all(
    told.map(async (each) => (await Promise.all(each)).filter((one) => one === 'served').length),
  );
  assert.deepEqual(counts, [5, 2, 1]);
  assert.match(forward.runtime.metrics.render(), /^coredns_forward_max_concurrent_rejects_total 15$/m);
});

test('beside another resolver on this machine a server at another port may ask it', async () => {
  const own = { ownAddresses: ['0.0.0.0'], clock: realClock };
  const stopped = await forwarding('forward . 127.0.0.1', { ...own, ownPort: 1053 });
  await stopped.stop();
  await assert.rejects(forwarding('forward . 127.0.0.1:1053', { ...own, ownPort: 1053 }), /is this server itself/);
});

test('answers are counted by server and code', async () => {
  const upstream = await server(({ query }) => replyTo(query, RCODE.NXDOMAIN));
  const forward = await forwardTo(`forward . ${upstream.to}`);
  await forward.ask('www.example.');
  assert.match(
    forward.runtime.metrics.render(),
    new RegExp(
      `coredns_proxy_request_duration_seconds_count\\{proxy_name="forward",to="${upstream.to}",rcode="NXDOMAIN"\\} 1`,
    ),
  );
});

test('ANY is told to come over TCP, where it is asked like that', async () => {
  const upstream = await server(good);
  const forward = await forwardTo(`forward . ${upstream.to}`);
  assert.equal(await forward.short('www.example.', { type: TYPE.ANY }), 'NOERROR tc');
  assert.equal(upstream.asked.length, 0);
  assert.equal(await forward.short('www.example.', { type: TYPE.ANY, ...TCP }), ANSWER);
});

test('the servers are those of resolv.conf, and others when that changes or is replaced', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'fairway-forward-'));
  const file = path.join(folder, 'resolv.conf');
  try {
    await writeFile(file, 'search example\n');
    const clock = new FakeClock();
    const forward = await forwardTo('forward . /etc/resolv.conf', {
      resolvConf: file,
      clock,
      ownAddresses: ['127.0.0.9'],
    });
    assert.equal((await forward.ask('1.2.0.192.in-addr.arpa.')).message.rcode, RCODE.NXDOMAIN);
    const told = await forward.ask('www.example.');
    assert.deepEqual(
      [told.message.rcode, told.trail],
      [RCODE.SERVFAIL, [{ plugin: 'forward', text: 'there is no upstream to ask' }]],
    );
    // Port 53 of an address of the loopback link where nobody listens: refused at once, which names it.
    for (const address of ['127.0.0.7', '127.0.0.8']) {
      await writeFile(`${file}.new`, `nameserver ${address}\nnameserver 127.0.0.9\n`);
      await rename(`${file}.new`, file);
      const asked = () => forward.ask('www.example.').then(({ trail }) => trail.map(({ text }) => text));
      const expected = [`${address}:53 refused the connection (nothing listens there)`];
      const deadline = Date.now() + 10_000;
      let steps: string[] = [];
      while (steps[0] !== expected[0] && Date.now() < deadline) {
        clock.advance(2000);
        await new Promise((resolve) => setTimeout(resolve, 10));
        steps = await asked();
      }
      assert.deepEqual(steps, expected);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

for (const [text, own, message] of [
  [
    'forward . 10.96.0.10',
    ['10.96.0.10'],
    /^Corefile:2: forward: 10\.96\.0\.10:53 is this server itself, that would be a loop$/,
  ],
  ['forward . [::1]:53', ['::'], /\[::1\]:53 is this server itself/],
  ['forward . /nonexistent/servers', [], /^Corefile:2: forward: cannot read \/nonexistent\/servers$/],
  ['forward . tls://192.0.2.1 {\ntls /nonexistent/ca.pem\n}', [], /^Corefile:2: forward: tls: ENOENT/],
] as const) {
  test(`${text.replaceAll('\n', ' ')}: cannot start`, async () => {
    await assert.rejects(forwarding(text, { ownAddresses: own, clock: realClock }), { name: 'CorefileError', message });
  });
}
