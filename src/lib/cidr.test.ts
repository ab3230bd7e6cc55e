import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAt, cidrContains, cidrSize, formatCidr, parseCidr, parseNetwork } from './cidr.ts';
import { formatIp, parseIp } from './ip.ts';

const range = (text: string) => {
  const cidr = parseCidr(text);
  assert.ok(cidr, text);
  return cidr;
};
const ip = (text: string) => {
  const parsed = parseIp(text);
  assert.ok(parsed, text);
  return parsed;
};

for (const text of ['10.96.0.0/16', '0.0.0.0/0', '10.0.0.1/32', 'fd00:10:96::/112', '::/0', '::1/128']) {
  test(`${text} reads and writes as itself`, () => {
    assert.equal(formatCidr(range(text)), text);
  });
}

for (const text of [
  '10.0.0.1/8',
  '10.0.0.0',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/8/8',
  '::/129',
  '/8',
  '10.0.0.0/',
  'x/1',
]) {
  test(`${text} is no range`, () => {
    assert.equal(parseCidr(text), undefined);
  });
}

const LOOSE: [text: string, range: string | undefined][] = [
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['10.0.0.1/32', '10.0.0.1/32'],
  ['fd00::5/64', 'fd00::/64'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ['10.0.0.0', undefined],
  ['10.0.0.0/33', undefined],
  ['10.0.0.0/8/8', undefined],
  ['10.0.0.0/', undefined],
  ['x/8', undefined],
];
for (const [text, wanted] of LOOSE) {
  test(`${text} means ${wanted ?? 'no network'}`, () => {
    const network = parseNetwork(text);
    assert.equal(network && formatCidr(network), wanted);
  });
}

test('a range contains its first and last address and nothing beside them', () => {
  const cidr = range('10.96.0.0/16');
  const answers = ['10.95.255.255', '10.96.0.0', '10.96.255.255', '10.97.0.0', '::a60:0'].map((text) =>
    cidrContains(cidr, ip(text)),
  );
  assert.deepEqual(answers, [false, true, true, false, false]);
});

test('addresses are counted from the first', () => {
  assert.equal(cidrSize(range('10.96.0.0/16')), 65536n);
  assert.equal(cidrSize(range('fd00::/64')), 2n ** 64n);
  assert.equal(formatIp(addressAt(range('10.96.0.0/16'), 10n)), '10.96.0.10');
  assert.equal(formatIp(addressAt(range('fd00::/112'), 65535n)), 'fd00::ffff');
  assert.throws(() => addressAt(range('10.0.0.0/30'), 4n), RangeError);
  assert.throws(() => addressAt(range('10.0.0.0/30'), -1n), RangeError);
});
