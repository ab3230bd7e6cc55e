/** Plugins of one file each: what they are asked and answer, as a table, and what of theirs is refused. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { corefileAsker } from '../corefile-asker.ts';
import type { Asker } from '../plugin.ts';
import type { Message } from '../wire/message.ts';

/** Behind the plugin at hand: some addresses, an alias and a text. */
const ZONE = `
  template IN A a.test {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
    additional "extra.test. 60 IN A 192.0.2.9"
    authority "a.test. 60 IN NS ns.a.test."
  }
  template IN AAAA a.test {
    authority "a.test. 300 IN SOA ns.a.test. root.a.test. 1 60 60 60 30"
  }
  template IN ANY gone.test {
    rcode NXDOMAIN
  }
  template IN A alias.test {
    answer "{{ .Name }} 60 IN CNAME b.test."
    answer "b.test. 60 IN A 192.0.2.2"
  }
  template IN AAAA both.test {
    answer "{{ .Name }} 60 IN AAAA 2001:db8::1"
  }
  template IN A both.test {
    answer "{{ .Name }} 60 IN A 192.0.2.3"
  }
`;

const EDNS = { edns: { size: 4096, version: 0, dnssecOk: false } };
const over6: Partial<Asker> = { address: '2001:db8::77' };
const A_ALL = '?a.test. A\na.test. 60 IN A 192.0.2.1\n;a.test. 60 IN NS ns.a.test.\n+extra.test. 60 IN A 192.0.2.9';

type Row = readonly [
  directive: string,
  question: string,
  expected: string,
  change?: Partial<Message>,
  by?: Partial<Asker>,
];

const ROWS: readonly Row[] = [
  ['minimal yes', 'a.test', 'NOERROR aa\n?a.test. A\na.test. 60 IN A 192.0.2.1'],
  ['minimal', 'a.test', 'NOERROR aa\n?a.test. A\na.test. 60 IN A 192.0.2.1'],
  [
    'minimal yes',
    'a.test AAAA',
    'NOERROR aa\n?a.test. AAAA\n;a.test. 300 IN SOA ns.a.test. root.a.test. 1 60 60 60 30',
  ],
  ['minimal no', 'a.test', `NOERROR aa\n${A_ALL}`],
  [
    'any',
    'a.test ANY',
    'NOERROR\n?a.test. ANY\na.test. 8482 IN HINFO \\# 27 0d414e59206f62736f6c657465640c536565205246432038343832',
  ],
  ['any', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['header {\n set ra\n}', 'a.test', `NOERROR aa ra\n${A_ALL}`],
  ['header {\n clear aa\n set ra\n response clear ra\n}', 'a.test', `NOERROR\n${A_ALL}`],
  ['whoami', 'x.test', 'NOERROR aa\n?x.test. A\n+x.test. 0 IN A 10.244.1.3\n+_udp.x.test. 0 IN SRV 0 0 40000 .'],
  [
    'whoami',
    'x.test',
    'NOERROR aa\n?x.test. A\n+x.test. 0 IN AAAA 2001:db8::77\n+_tcp.x.test. 0 IN SRV 0 0 53 .',
    {},
    { ...over6, port: 53, transport: 'tcp' },
  ],
  ['local', 'localhost', 'NOERROR aa\n?localhost. A\nlocalhost. 604800 IN A 127.0.0.1'],
  ['local', 'x.LocalHost AAAA', 'NOERROR aa\n?x.LocalHost. AAAA\nx.LocalHost. 604800 IN AAAA ::1'],
  [
    'local',
    '1.0.0.127.in-addr.arpa PTR',
    'NOERROR aa\n?1.0.0.127.in-addr.arpa. PTR\n1.0.0.127.in-addr.arpa. 604800 IN PTR localhost.',
  ],
  [
    'local',
    '2.0.0.127.in-addr.arpa PTR',
    'NOERROR aa\n?2.0.0.127.in-addr.arpa. PTR\n;127.in-addr.arpa. 604800 IN SOA localhost. root.localhost. 1 0 0 0 604800',
  ],
  ['local', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['acl {\n block type A net 10.0.0.0/8\n}', 'a.test', 'REFUSED\n?a.test. A'],
  ['acl {\n block type AAAA net 10.0.0.0/8\n}', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['acl {\n filter net *\n}', 'a.test', 'NOERROR\n?a.test. A'],
  ['acl {\n drop\n}', 'a.test', 'nothing'],
  ['acl {\n allow net 10.244.1.3 192.168.0.0/16\n block\n}', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['acl {\n allow net 192.168.0.0/16\n block type *\n}', 'a.test', 'REFUSED\n?a.test. A'],
  ['acl other.test {\n block\n}', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['dns64', 'a.test AAAA', 'NOERROR aa\n?a.test. AAAA\na.test. 30 IN AAAA 64:ff9b::c000:201', {}, over6],
  ['dns64', 'a.test AAAA', 'NOERROR aa\n?a.test. AAAA\n;a.test. 300 IN SOA ns.a.test. root.a.test. 1 60 60 60 30'],
  [
    'dns64 {\n allow_ipv4\n prefix 64:1337::/96\n}',
    'a.test AAAA',
    'NOERROR aa\n?a.test. AAAA\na.test. 30 IN AAAA 64:1337::c000:201',
  ],
  ['dns64 64:1337::/64', 'a.test AAAA', 'NOERROR aa\n?a.test. AAAA\na.test. 30 IN AAAA 64:1337::c0:2:100:0', {}, over6],
  ['dns64', 'both.test AAAA', 'NOERROR aa\n?both.test. AAAA\nboth.test. 60 IN AAAA 2001:db8::1', {}, over6],
  [
    'dns64 {\n translate_all\n}',
    'both.test AAAA',
    'NOERROR aa\n?both.test. AAAA\nboth.test. 60 IN AAAA 64:ff9b::c000:203',
    {},
    over6,
  ],
  ['dns64', 'gone.test AAAA', 'NXDOMAIN aa\n?gone.test. AAAA', {}, over6],
  ['dns64', 'a.test', `NOERROR aa\n${A_ALL}`, {}, over6],
  ['debug', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['cancel', 'a.test', `NOERROR aa\n${A_ALL}`],
  ['bufsize', 'a.test', `NOERROR aa\n${A_ALL}`, EDNS],
  ['nsid', 'a.test', `NOERROR aa\n${A_ALL}`, EDNS],
];

for (const [directive, question, expected, change, by] of ROWS) {
  test(`${directive.replaceAll(/\s+/g, ' ')}: ${question} over ${by?.transport ?? 'udp'} from ${by?.address ?? 'IPv4'}`, async () => {
    const asker = await corefileAsker(`. {\n${directive}\n${ZONE}}`);
    assert.equal(await asker.ask(question, change, by), expected);
  });
}

for (const [directive, expected] of [
  ['minimal maybe', 'Corefile:2: minimal: expected yes or no, found "maybe"'],
  ['any {\n}', 'Corefile:2: any: takes no block'],
  ['header {\n turn ra\n}', 'Corefile:3: header: unknown action "turn", there are set, clear'],
  ['header {\n set qr\n}', 'Corefile:3: header: unknown flag "qr", there are aa, ra, rd'],
  ['acl {\n forbid\n}', 'Corefile:3: acl: unknown action "forbid", there are allow, block, filter, drop'],
  ['acl {\n block from 10.0.0.0/8\n}', 'Corefile:3: acl: expected type or net, found "from"'],
  ['acl {\n block net 10.0.0\n}', 'Corefile:3: acl: expected an address or network, found "10.0.0"'],
  ['acl {\n block type NOPE\n}', 'Corefile:3: acl: "NOPE" is no type of records'],
  ['acl {\n block net\n}', 'Corefile:3: acl: expected something behind type and net, or *'],
  ['dns64 10.0.0.0/8', 'Corefile:2: dns64: expected an IPv6 prefix of 32, 40, 48, 56, 64, 96 bits, found "10.0.0.0/8"'],
  ['dns64 {\n reverse\n}', 'Corefile:3: dns64: unknown option "reverse", there are prefix, translate_all, allow_ipv4'],
  ['bufsize 100', 'Corefile:2: bufsize: expected a whole number from 512 to 4096, found "100"'],
  ['cancel soon', 'Corefile:2: cancel: expected a time such as 5s, 1m30s or 100ms, found "soon"'],
  ['whoami now', 'Corefile:2: whoami: expected nothing behind it, found "now"'],
  ['metadata {\n}', 'Corefile:2: metadata: takes no block'],
  ['root', 'Corefile:2: root: expected a folder'],
  ['nsid a\nnsid b', 'Corefile:3: nsid: may stand once in a server block'],
] as const) {
  test(`refuses ${directive.replaceAll(/\s+/g, ' ')}`, async () => {
    await assert.rejects(corefileAsker(`. {\n${directive}\n}`), { name: 'CorefileError', message: expected });
  });
}

test('chaos answers in its class, and the others are not asked in it', async () => {
  const { ask } = await corefileAsker(`. {\nchaos Lab-1 a@lab.test b@lab.test\n${ZONE}}`);
  const asked = (name: string, type: number) => ask(name, { questions: [{ name: `${name}.`, type, class: 3 }] });
  assert.equal(await asked('Version.bind', 16), 'NOERROR\n?Version.bind. TXT\nVersion.bind. 0 CH TXT "Lab-1"');
  assert.equal((await asked('authors.bind', 16)).split('\n').length, 4);
  assert.match(await asked('id.server', 16), /\nid\.server\. 0 CH TXT "/);
  assert.equal(await asked('version.bind', 1), 'SERVFAIL\n?version.bind. A');
  assert.equal(await ask('a.test'), `NOERROR aa\n${A_ALL}`);
});

test('nsid is told to who asks for it, and to nobody else', async () => {
  const { answer } = await corefileAsker(`. {\nnsid Use The Force\n${ZONE}}`);
  const asked = { edns: { ...EDNS.edns, options: [{ code: 3, bytes: Buffer.alloc(0) }] } };
  const told = (await answer('a.test', asked))?.message.edns?.options?.map(
    ({ code, bytes }) => `${String(code)} ${bytes.toString()}`,
  );
  assert.deepEqual(told, ['3 Use The Force']);
  assert.equal((await answer('a.test', EDNS))?.message.edns?.options, undefined);
});

test('what acl refuses says why to who can read it, and is counted', async () => {
  const { answer, runtime } = await corefileAsker(`. {\nacl {\n block\n}\n}`);
  const options = (await answer('a.test', EDNS))?.message.edns?.options;
  assert.deepEqual(
    options?.map(({ code, bytes }) => [code, bytes.readUInt16BE(0), bytes.toString('utf8', 2)]),
    [[15, 15, 'Blocked']],
  );
  assert.match(
    runtime.metrics.render(),
    /coredns_acl_blocked_requests_total\{server="dns:\/\/:53",zone=".",view=""\} 1\n/,
  );
});

test('an answer with bufsize has a size that the sockets keep to', async () => {
  const { answer } = await corefileAsker(`. {\nbufsize 700\n${ZONE}}`);
  assert.equal((await answer('a.test', EDNS))?.udpSize, 700);
});
