import assert from 'node:assert/strict';
import test from 'node:test';
import { nameBytes } from '../../wire/domain-name.ts';
import { parseType, recordText } from '../../wire/record-text.ts';
import { recordsOf } from './fake-upstream.ts';
import { relevant } from './relevant.ts';

/** A signature made by the key of a zone, in hexadecimal. */
function rrsig(covered: number, signer: string): string {
  const bytes = Buffer.concat([Buffer.alloc(18), nameBytes(signer), Buffer.of(1, 2, 3)]);
  bytes.writeUInt16BE(covered, 0);
  return `RRSIG \\# ${String(bytes.length)} ${bytes.toString('hex')}`;
}

interface Row {
  readonly why: string;
  readonly asked: string;
  readonly answers?: string;
  readonly authorities?: string;
  readonly additionals?: string;
  /** Lines of the three sections that stay, in order; `-` before those that go. */
  readonly kept: string;
}

const SOA = 'SOA ns.example. admin.example. 1 7200 1800 86400 60';

const rows: readonly Row[] = [
  {
    why: 'an answer to the question stays',
    asked: 'www.example. A',
    answers: 'www.example. 60 A 192.0.2.1\nwww.example. 60 A 192.0.2.2',
    kept: 'www.example. 60 IN A 192.0.2.1\nwww.example. 60 IN A 192.0.2.2',
  },
  {
    why: 'owners come back in the letters of the asker',
    asked: 'WWW.example. A',
    answers: 'wWw.eXample. 60 A 192.0.2.1',
    kept: 'WWW.example. 60 IN A 192.0.2.1',
  },
  {
    why: 'what nobody asked goes, of another name and of another type',
    asked: 'www.example. A',
    answers: 'bank.example. 60 A 203.0.113.66\nwww.example. 60 A 192.0.2.1\nwww.example. 60 TXT "x"',
    kept: 'www.example. 60 IN A 192.0.2.1',
  },
  {
    why: 'a chain of aliases stays and comes in its order',
    asked: 'a.example. A',
    answers: 'c.test. 60 A 192.0.2.1\nb.example. 60 CNAME c.test.\na.example. 60 CNAME B.example.',
    kept: 'a.example. 60 IN CNAME B.example.\nb.example. 60 IN CNAME c.test.\nc.test. 60 IN A 192.0.2.1',
  },
  {
    why: 'a chain that leads nowhere is as long as it is',
    asked: 'a.example. AAAA',
    answers: 'a.example. 60 CNAME b.example.\nx.example. 60 AAAA 2001:db8::1',
    kept: 'a.example. 60 IN CNAME b.example.',
  },
  {
    why: 'a chain that comes back ends there',
    asked: 'a.example. A',
    answers: 'a.example. 60 CNAME b.example.\nb.example. 60 CNAME a.example.',
    kept: 'a.example. 60 IN CNAME b.example.\nb.example. 60 IN CNAME a.example.',
  },
  {
    why: 'who asks for the alias gets the alias alone',
    asked: 'a.example. CNAME',
    answers: 'a.example. 60 CNAME b.example.\nb.example. 60 A 192.0.2.1',
    kept: 'a.example. 60 IN CNAME b.example.',
  },
  {
    why: 'who asks for anything gets what the name has',
    asked: 'a.example. ANY',
    answers: 'a.example. 60 A 192.0.2.1\na.example. 60 TXT "x"\nb.example. 60 A 192.0.2.2',
    kept: 'a.example. 60 IN A 192.0.2.1\na.example. 60 IN TXT "x"',
  },
  {
    why: 'a denial keeps its SOA, of the zone or of a parent',
    asked: 'no.sub.example. A',
    authorities: `example. 60 ${SOA}`,
    kept: `example. 60 IN ${SOA}`,
  },
  {
    why: 'a SOA or NS of somebody else goes: it would deny, or take over, a zone that was not asked about',
    asked: 'www.example. A',
    answers: 'www.example. 60 A 192.0.2.1',
    authorities: `bank.test. 60 ${SOA}\nbank.test. 60 NS ns.evil.test.\nexample. 60 NS ns.example.`,
    kept: 'www.example. 60 IN A 192.0.2.1\nexample. 60 IN NS ns.example.',
  },
  {
    why: 'a SOA at the end of a chain is of the zone the chain ends in',
    asked: 'a.example. A',
    answers: 'a.example. 60 CNAME no.test.',
    authorities: `test. 60 ${SOA}`,
    kept: `a.example. 60 IN CNAME no.test.\ntest. 60 IN ${SOA}`,
  },
  {
    why: 'addresses stay of servers and targets that are named, and of nobody else',
    asked: '_ldap._tcp.example. SRV',
    answers: '_ldap._tcp.example. 60 SRV 0 0 389 ldap.example.',
    authorities: 'example. 60 NS ns.example.',
    additionals:
      'ldap.example. 60 A 192.0.2.1\nns.example. 60 AAAA 2001:db8::1\nbank.test. 60 A 203.0.113.66\nldap.example. 60 TXT "x"',
    kept: '_ldap._tcp.example. 60 IN SRV 0 0 389 ldap.example.\nexample. 60 IN NS ns.example.\nldap.example. 60 IN A 192.0.2.1\nns.example. 60 IN AAAA 2001:db8::1',
  },
  {
    why: 'a mail server is a target',
    asked: 'example. TYPE15',
    answers: 'example. 60 MX 10 mail.example.',
    additionals: 'mail.example. 60 A 192.0.2.1',
    kept: 'example. 60 IN MX 10 mail.example.\nmail.example. 60 IN A 192.0.2.1',
  },
  {
    why: 'signatures stay with what they sign, and proofs with the zone that signed them',
    asked: 'www.example. A',
    answers: `www.example. 60 A 192.0.2.1\nwww.example. 60 ${rrsig(1, 'example.')}\nwww.example. 60 ${rrsig(16, 'example.')}`,
    authorities: `0p9m.example. 60 NSEC3 \\# 1 00\n0p9m.example. 60 ${rrsig(50, 'example.')}\nx.test. 60 NSEC \\# 1 00`,
    kept: `www.example. 60 IN A 192.0.2.1\nwww.example. 60 IN ${rrsig(1, 'example.')}\n0p9m.example. 60 IN NSEC3 \\# 1 00\n0p9m.example. 60 IN ${rrsig(50, 'example.')}`,
  },
  {
    why: 'the DNAME that an alias was made from stays',
    asked: 'a.old.example. A',
    answers: 'old.example. 60 DNAME \\# 5 03 6e6577 00\na.old.example. 60 CNAME a.new.\na.new. 60 A 192.0.2.1',
    kept: 'old.example. 60 IN DNAME \\# 5 036e657700\na.old.example. 60 IN CNAME a.new.\na.new. 60 IN A 192.0.2.1',
  },
];

for (const { why, asked, answers = '', authorities = '', additionals = '', kept } of rows) {
  test(why, () => {
    const [name = '', word = ''] = asked.split(' ');
    const question = { name, type: parseType(word) ?? 0, class: 1 };
    const reply = {
      answers: recordsOf(answers),
      authorities: recordsOf(authorities),
      additionals: recordsOf(additionals),
    };
    const found = relevant(question, reply);
    const lines = [...found.answers, ...found.authorities, ...found.additionals].map(recordText);
    assert.equal(lines.join('\n'), kept);
  });
}

test('a chain has an end even where an upstream gives it none', () => {
  const links = Array.from({ length: 500 }, (_, at) => `n${String(at)}.example. 60 CNAME n${String(at + 1)}.example.`);
  const reply = { answers: recordsOf(links.join('\n')), authorities: [], additionals: [] };
  assert.equal(relevant({ name: 'n0.example.', type: 1, class: 1 }, reply).answers.length, 16);
});
