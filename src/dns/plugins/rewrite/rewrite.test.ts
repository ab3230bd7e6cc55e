import assert from 'node:assert/strict';
import test from 'node:test';
import { corefileAsker } from '../../corefile-asker.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import type { Query } from '../../plugin.ts';
import { CLASS_IN, queryFor } from '../../wire/message.ts';
import { parseRule } from './plugin.ts';

/** Answers each name with what it is called: so one sees what was asked. */
const ZONE = `
  template IN A {
    match ^gone
    rcode NXDOMAIN
    fallthrough
  }
  template IN A {
    match ^alias
    answer "{{ .Name }} 60 IN CNAME old.test."
    answer "old.test. 60 IN A 192.0.2.3"
    fallthrough
  }
  template IN A {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
  }
  template IN SRV {
    answer "{{ .Name }} 60 IN SRV 0 100 80 pod.svc.cluster.local."
    additional "pod.svc.cluster.local. 60 IN A 192.0.2.2"
  }
  template IN MX {
    answer "{{ .Name }} 60 IN MX 10 mail.svc.cluster.local."
  }
  template IN HINFO {
    answer "{{ .Name }} 60 IN TXT asked-for-HINFO"
  }
`;

for (const [why, rules, question, expected] of [
  [
    'an exact name, and its answer back',
    'rewrite name red.test blue.test',
    'Red.test',
    '?Red.test. A|Red.test. 60 IN A 192.0.2.1',
  ],
  [
    'another name is left alone',
    'rewrite name red.test blue.test',
    'x.red.test',
    '?x.red.test. A|x.red.test. 60 IN A 192.0.2.1',
  ],
  ['exact by name', 'rewrite name exact red.test blue.test', 'red.test', '?red.test. A|red.test. 60 IN A 192.0.2.1'],
  ['a prefix', 'rewrite name prefix coredns my', 'coredns.test', '?coredns.test. A|my.test. 60 IN A 192.0.2.1'],
  [
    'a prefix with answer auto',
    'rewrite name prefix coredns my answer auto',
    'coredns.test',
    '?coredns.test. A|coredns.test. 60 IN A 192.0.2.1',
  ],
  ['a suffix', 'rewrite name suffix .a.test .b.test', 'x.a.test', '?x.a.test. A|x.b.test. 60 IN A 192.0.2.1'],
  [
    'a suffix with answer auto',
    'rewrite name suffix .a.test. .b.test. answer auto',
    'x.a.test',
    '?x.a.test. A|x.a.test. 60 IN A 192.0.2.1',
  ],
  [
    'a part of the name',
    'rewrite name substring mid end',
    'a.mid.b.mid.test',
    '?a.mid.b.mid.test. A|a.end.b.end.test. 60 IN A 192.0.2.1',
  ],
  [
    'an expression with groups',
    'rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul',
    'ftp-us-west-1.example.org',
    '?ftp-us-west-1.example.org. A|ftp.service.us-west-1.consul. 60 IN A 192.0.2.1',
  ],
  [
    'an expression with its answer on one line',
    'rewrite stop name regex (.*)\\.a\\.test {1}.b.test answer name (.*)\\.b\\.test {1}.a.test',
    'x.a.test',
    '?x.a.test. A|x.a.test. 60 IN A 192.0.2.1',
  ],
  [
    'an expression with its answer in a block',
    'rewrite stop {\n name regex (.*)\\.a\\.test {1}.b.test\n answer name (.*)\\.b\\.test {1}.a.test\n}',
    'x.a.test',
    '?x.a.test. A|x.a.test. 60 IN A 192.0.2.1',
  ],
  [
    'targets and additional records',
    'rewrite name suffix .a.test .b.test answer auto answer value (.*)\\.svc\\.cluster\\.local {1}.a.test',
    'x.a.test SRV',
    '?x.a.test. SRV|x.a.test. 60 IN SRV 0 100 80 pod.a.test.|+pod.svc.cluster.local. 60 IN A 192.0.2.2',
  ],
  [
    'targets with the second answer left out',
    'rewrite name suffix .a.test .b.test answer auto value (.*)\\.svc\\.cluster\\.local {1}.a.test name (.*)\\.svc\\.cluster\\.local {1}.a.test',
    'x.a.test SRV',
    '?x.a.test. SRV|x.a.test. 60 IN SRV 0 100 80 pod.a.test.|+pod.a.test. 60 IN A 192.0.2.2',
  ],
  [
    'the target of MX',
    'rewrite name suffix .a.test .b.test answer auto answer value (.*)\\.svc\\.cluster\\.local {1}.a.test',
    'x.a.test MX',
    '?x.a.test. MX|x.a.test. 60 IN MX 10 mail.a.test.',
  ],
  ['a type', 'rewrite type ANY HINFO', 'x.test ANY', '?x.test. ANY|x.test. 60 IN TXT "asked-for-HINFO"'],
  [
    'stop after the first',
    'rewrite name a.test b.test\nrewrite name b.test c.test',
    'a.test',
    '?a.test. A|a.test. 60 IN A 192.0.2.1',
  ],
  [
    'continue to the next, and back through both',
    'rewrite continue name a.test b.test\nrewrite name suffix b.test c.test',
    'a.test',
    '?a.test. A|c.test. 60 IN A 192.0.2.1',
  ],
  [
    'continue with both exact',
    'rewrite continue name a.test b.test\nrewrite name b.test c.test',
    'a.test',
    '?a.test. A|a.test. 60 IN A 192.0.2.1',
  ],
  ['a TTL', 'rewrite ttl a.test 15', 'a.test', '?a.test. A|a.test. 15 IN A 192.0.2.1'],
  ['a TTL of other names is left', 'rewrite ttl a.test 15', 'b.test', '?b.test. A|b.test. 60 IN A 192.0.2.1'],
  [
    'a TTL in bounds',
    'rewrite continue {\n ttl regex (.*)\\.test 90-120\n}',
    'a.test',
    '?a.test. A|a.test. 90 IN A 192.0.2.1',
  ],
  ['a TTL with a most', 'rewrite ttl suffix test -30', 'a.test', '?a.test. A|a.test. 30 IN A 192.0.2.1'],
  ['a code', 'rewrite rcode prefix gone NXDOMAIN NOERROR', 'gone.test', '?gone.test. A'],
  [
    'an alias, which is looked up anew',
    'rewrite cname exact old.test. new.test.',
    'alias.test',
    '?alias.test. A|alias.test. 60 IN CNAME new.test.|new.test. 60 IN A 192.0.2.1',
  ],
  [
    'an alias without a dollar meaning anything',
    'rewrite name substring a $&',
    'xax',
    '?xax. A|x$&x. 60 IN A 192.0.2.1',
  ],
] as const) {
  test(`rewrites ${why}`, async () => {
    const { ask } = await corefileAsker(`. {\n${rules}\n${ZONE}}`);
    const [, ...lines] = (await ask(question)).split('\n');
    assert.equal(lines.join('|'), expected);
  });
}

test('a name that is none after it is a SERVFAIL', async () => {
  const { ask } = await corefileAsker(`. {\nrewrite name a.test ${'x'.repeat(64)}.test\n${ZONE}}`);
  assert.equal(await ask('a.test'), 'SERVFAIL\n?a.test. A');
});

test('questions of another class are refused unless they are rewritten', async () => {
  const change = { questions: [{ name: 'a.test.', type: 1, class: 3 }] };
  const plain = await corefileAsker(`. {\n${ZONE}}`);
  assert.equal(await plain.ask('a.test', change), 'REFUSED\n?a.test. A');
  const rewriting = await corefileAsker(`. {\nrewrite class CH IN\n${ZONE}}`);
  assert.equal(await rewriting.ask('a.test', change), 'NOERROR aa\n?a.test. A\na.test. 60 IN A 192.0.2.1');
});

const query = (address: string, options?: readonly { code: number; bytes: Buffer }[]): Query => {
  const question = { name: 'a.test.', type: 1, class: CLASS_IN };
  const message = queryFor(1, question, { size: 4096, version: 0, dnssecOk: false, ...(options && { options }) });
  const metadata = new Map([['kubernetes/client-namespace', () => 'shop']]);
  return { message, question, asker: { address, port: 4660, transport: 'tcp' }, at: 0, metadata };
};

for (const [rule, address, expected, before] of [
  ['local set 0xffee 0x61626364', '10.0.0.1', '65518 61626364'],
  ['local set 65518 abcd', '10.0.0.1', '65518 61626364'],
  ['local set 0xffee {qname}', '10.0.0.1', `65518 ${Buffer.from('a.test.').toString('hex')}`],
  ['local set 0xffee {client_ip}', '10.0.0.1', '65518 0a000001'],
  ['local set 0xffee {client_ip}', '2001:db8::1', '65518 20010db8000000000000000000000001'],
  ['local set 0xffee {client_port}', '10.0.0.1', '65518 1234'],
  ['local set 0xffee {protocol}', '10.0.0.1', '65518 746370'],
  ['local set 0xffee {kubernetes/client-namespace}', '10.0.0.1', '65518 73686f70'],
  ['local set 0xffee {nobody/knows}', '10.0.0.1', '65518 '],
  ['local append 0xffee new', '10.0.0.1', '65518 6f6c64', 'old'],
  ['local replace 0xffee new', '10.0.0.1', '65518 6e6577', 'old'],
  ['local replace 0xffee new', '10.0.0.1', ''],
  ['nsid set', '10.0.0.1', '3 '],
  ['subnet set 24 56', '10.1.2.3', '8 000118000a0102'],
  ['subnet set 20 56', '10.1.255.3', '8 000114000a01f0'],
  ['subnet set 24 56', '2001:db8:1:2:3::1', '8 0002380020010db8000100'],
  ['subnet set 0 0', '10.1.2.3', '8 00010000'],
  ['subnet set 24 56 revert', '10.1.2.3', '8 000118000a0102'],
] as const) {
  test(`edns0 ${rule} from ${address}${before === undefined ? '' : ' with one already'}`, () => {
    const [block] = parseCorefile(`. {\nrewrite edns0 ${rule}\n}`, { file: 'Corefile' });
    const made = parseRule(block!.directives[0]!, {});
    const asked = query(address, before === undefined ? undefined : [{ code: 65518, bytes: Buffer.from(before) }]);
    const options = (made.apply(asked)?.query ?? asked).message.edns?.options ?? [];
    assert.equal(options.map(({ code, bytes }) => `${String(code)} ${bytes.toString('hex')}`).join(', '), expected);
  });
}

for (const [rule, expected] of [
  ['rewrite', 'expected one of name, type, class, edns0, ttl, cname, rcode, found ""'],
  ['rewrite names a b', 'expected one of name, type, class, edns0, ttl, cname, rcode, found "names"'],
  ['rewrite name a', 'expected two names behind name'],
  ['rewrite name regex (a b', 'error parsing regexp: missing closing ): `(a`: "(a"'],
  ['rewrite name regex (a) {2}', '{2} is not a group of "(a)", it has 1'],
  ['rewrite name exact a b answer nothing', 'expected behind answer: auto, name FROM TO or value FROM TO'],
  ['rewrite name exact a b and more', 'expected answer, found "and"'],
  ['rewrite type A NOPE', 'expected two types of records such as ANY HINFO, found "A NOPE"'],
  ['rewrite class IN', 'expected two classes such as CH IN, found "IN"'],
  ['rewrite ttl a.test soon', 'expected seconds, or from-to, found "soon"'],
  ['rewrite ttl a.test 10-5', '10-5 begins behind its end'],
  ['rewrite rcode a.test NXDOMAIN', 'expected behind rcode: a name and two codes such as NXDOMAIN NOERROR'],
  ['rewrite cname a', 'expected two names behind cname'],
  ['rewrite edns0 local add 1 2', 'expected behind edns0: local, nsid or subnet, then set, append, replace'],
  ['rewrite edns0 subnet set 33 56', 'expected a whole number from 0 to 32, found "33"'],
  ['rewrite edns0 cookie set', 'expected edns0 local ACTION CODE DATA, nsid ACTION or subnet ACTION V4BITS V6BITS'],
] as const) {
  test(`refuses ${rule}`, async () => {
    await assert.rejects(corefileAsker(`. {\n${rule}\n}`), {
      name: 'CorefileError',
      message: `Corefile:2: rewrite: ${expected}`,
    });
  });
}
