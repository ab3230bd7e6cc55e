import assert from 'node:assert/strict';
import test from 'node:test';
import { parseRecord } from './record-parse.ts';
import { recordText } from './record-text.ts';

for (const [line, expected] of [
  ['web.test. 60 IN A 192.0.2.1', 'web.test. 60 IN A 192.0.2.1'],
  ['web.test IN 60 A 192.0.2.1', 'web.test. 60 IN A 192.0.2.1'],
  ['web.test A 192.0.2.1', 'web.test. 3600 IN A 192.0.2.1'],
  ['web.test 5 AAAA 2001:DB8:0::1', 'web.test. 5 IN AAAA 2001:db8::1'],
  ['a.test 5 IN CNAME b.test ; why', 'a.test. 5 IN CNAME b.test.'],
  ['1.2.0.192.in-addr.arpa. 5 IN PTR b.test.', '1.2.0.192.in-addr.arpa. 5 IN PTR b.test.'],
  ['_h._tcp.a.test 5 IN SRV 0 100 80 b.test', '_h._tcp.a.test. 5 IN SRV 0 100 80 b.test.'],
  ['a.test 5 IN TXT "one two" three', 'a.test. 5 IN TXT "one two" "three"'],
  ['a.test 5 IN MX 10 b.test', 'a.test. 5 IN MX 10 b.test.'],
  ['a.test 60 IN SOA ns.a.test root.a.test (1 60 60 60 60)', 'a.test. 60 IN SOA ns.a.test. root.a.test. 1 60 60 60 60'],
  ['a.test 5 IN TYPE65280 \\# 3 010203', 'a.test. 5 IN TYPE65280 \\# 3 010203'],
] as const) {
  test(`reads ${line}`, () => {
    const record = parseRecord(line);
    assert.equal(typeof record === 'string' ? record : recordText(record), expected);
  });
}

for (const [line, expected] of [
  ['', 'an empty line'],
  ['a.test 5 IN A 2001:db8::1', 'A: expected an IPv4 address, found "2001:db8::1"'],
  ['a.test 5 IN AAAA 192.0.2.1', 'AAAA: expected an IPv6 address, found "192.0.2.1"'],
  ['a.test 5 IN NOPE x', '"NOPE" is no type of records'],
  ['a.test 5 CH TXT x', 'class CH is not served'],
  ['a.test 5 IN CNAME', 'CNAME: expected a name, found ""'],
  ['a.test 5 IN SRV 0 100 b.test', 'SRV: expected 3 numbers and a name, found "0 100 b.test"'],
  ['a.test 5 IN MX 70000 b.test', 'MX: expected a number and a name, found "70000 b.test"'],
  [
    'a.test 5 IN SOA ns.a.test root.a.test 1 2 3',
    'SOA: expected two names and five numbers, found "ns.a.test root.a.test 1 2 3"',
  ],
  ['a.test 5 IN TXT "open', 'a quote is never closed'],
  [`${'x'.repeat(64)}.test A 192.0.2.1`, `"${'x'.repeat(64)}.test" is no name`],
  ['a.test 9999999999 A 192.0.2.1', 'TTL 9999999999 is too long'],
  ['a.test 5 IN HINFO x y', 'HINFO: expected the data of this type as "\\# LENGTH HEX"'],
] as const) {
  test(`says why ${JSON.stringify(line.slice(0, 50))} is no record`, () => {
    assert.equal(parseRecord(line), expected);
  });
}
