import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareIpText, familyOf, formatIp, joinHostPort, parseIp, type Ip } from './ip.ts';

const canonical: [string, string][] = [
  ['10.96.0.1', '10.96.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['FD00:0::0A', 'fd00::a'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1::', '1::'],
];
for (const [text, expected] of canonical) {
  test(`${text} is written ${expected}`, () => {
    const ip = parseIp(text);
    assert.ok(ip);
    assert.equal(formatIp(ip), expected);
  });
}

const refused = [
  ...['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4 ', '0x1.2.3.4', '1e1.2.3.4'],
  ...[':', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', 'fe80::1%eth0', '1.2.3.4::', '::1.2.3'],
  ...['1:2:3:4:5:6:7::8:9', ':1', '1:', '1:2:3:4::5:6:7:8', '::1.2.3.4:5', 'g::', '[::1]'],
];
for (const text of refused) {
  test(`${JSON.stringify(text)} is no address`, () => {
    assert.equal(parseIp(text), undefined);
  });
}

test('every address reads back from its canonical text', () => {
  const v4 = fc.bigInt(0n, 2n ** 32n - 1n).map((value): Ip => ({ family: 'IPv4', value }));
  const groups = fc.array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 });
  const v6 = groups.map((all): Ip => ({ family: 'IPv6', value: all.reduce((sum, group) => (sum << 16n) | group, 0n) }));
  fc.assert(
    fc.property(fc.oneof(v4, v6), (ip) => {
      assert.deepEqual(parseIp(formatIp(ip)), ip);
    }),
  );
});

test('addresses sort by family and number, not by text', () => {
  const sorted = ['junk', '10.0.0.10', 'fd00::2', '9.9.9.9', '10.0.0.9', '::1', 'abc'].sort(compareIpText);
  assert.deepEqual(sorted, ['9.9.9.9', '10.0.0.9', '10.0.0.10', '::1', 'fd00::2', 'abc', 'junk']);
});

test('only IPv6 needs brackets before a port', () => {
  assert.equal(joinHostPort('10.0.0.1', 80), '10.0.0.1:80');
  assert.equal(joinHostPort('fd00::1', 80), '[fd00::1]:80');
});

test('familyOf tells the family or nothing', () => {
  assert.deepEqual(['10.0.0.1', '::1', 'localhost'].map(familyOf), ['IPv4', 'IPv6', undefined]);
});
