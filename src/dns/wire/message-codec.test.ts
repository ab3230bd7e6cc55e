import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatIp, parseIp } from '../../lib/ip.ts';
import { addressBytes, ipv6Text } from './address-bytes.ts';
import { labelsOf, nameBytes, nameOf } from './domain-name.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Record } from './message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from './message-codec.ts';
import { WireError } from './wire-error.ts';

const question = { name: 'web.default.svc.cluster.local.', type: TYPE.A, class: CLASS_IN };
const reply = (answers: Record[], rest: Partial<Message> = {}): Message => ({
  ...replyTo(queryFor(7, question), RCODE.NOERROR),
  checkingDisabled: false,
  answers,
  ...rest,
});

test('a query is the bytes that every resolver sends', () => {
  const bytes = encodeMessage(queryFor(0x1234, { name: 'a.bc.', type: TYPE.AAAA, class: CLASS_IN }), MAX_MESSAGE);
  assert.equal(
    bytes.toString('hex'),
    '1234' + '0100' + '0001000000000000' + '0161' + '026263' + '00' + '001c' + '0001',
  );
});

test('names are compressed against names before them, also in part', () => {
  const target = 'other.default.svc.cluster.local.';
  const bytes = encodeMessage(reply([{ name: question.name, ttl: 5, type: TYPE.CNAME, target }]), MAX_MESSAGE);
  // Header, question, then: pointer, type, class, ttl, length, `other`, pointer.
  assert.equal(bytes.length, 12 + 31 + 4 + 2 + 10 + 6 + 2);
  assert.deepEqual(decodeMessage(bytes).answers, [{ name: question.name, ttl: 5, type: TYPE.CNAME, target }]);
});

test('what does not fit is left out and marked, and OPT always stays', () => {
  const answers = Array.from({ length: 100 }, (_, at): Record => ({
    name: question.name,
    ttl: 5,
    type: TYPE.A,
    address: `10.0.0.${String(at)}`,
  }));
  const edns = { size: 1232, version: 0, dnssecOk: false };
  const bytes = encodeMessage(reply(answers, { edns }), 512);
  const cut = decodeMessage(bytes);
  assert.ok(bytes.length <= 512 && bytes.length > 490);
  assert.deepEqual([cut.truncated, cut.edns, cut.answers.length], [true, edns, 28]);
  assert.equal(decodeMessage(encodeMessage(reply(answers), MAX_MESSAGE)).truncated, false);
});

test('additional records may be missing without a mark, but no part of a set', () => {
  const additionals = Array.from({ length: 100 }, (_, at): Record => ({
    name: `pod-${String(Math.floor(at / 5))}.${question.name}`,
    ttl: 5,
    type: TYPE.A,
    address: `10.0.0.${String(at)}`,
  }));
  const bytes = encodeMessage(reply([], { additionals }), 512);
  const cut = decodeMessage(bytes);
  assert.deepEqual([cut.truncated, cut.additionals], [false, additionals.slice(0, cut.additionals.length)]);
  assert.ok(cut.additionals.length >= 20 && cut.additionals.length % 5 === 0, String(cut.additionals.length));
  assert.ok(bytes.length <= 512 && bytes.length > 512 - 5 * 20);
});

test('an extended code travels in OPT', () => {
  const edns = { size: 1232, version: 0, dnssecOk: true };
  assert.equal(decodeMessage(encodeMessage(reply([], { rcode: RCODE.BADVERS, edns }), 512)).rcode, RCODE.BADVERS);
});

test('odd bytes in labels survive the way through text', () => {
  for (const labels of [['a.b', 'c'], ['\\', '"'], ['\u0000\u00ff', ' '], ['x'.repeat(63)]]) {
    assert.deepEqual(labelsOf(nameOf(labels)), labels);
  }
});

for (const [why, name] of [
  ['a label of 64 bytes', `${'x'.repeat(64)}.test.`],
  ['256 bytes', `${'abcdefg.'.repeat(32)}`],
  ['256 bytes, the end of it there already', `x.${'abcdefg.'.repeat(31)}abcd.`],
  ['an empty label', 'a..b.'],
] as const) {
  test(`a name with ${why} cannot be written`, () => {
    const long = { name: 'abcdefg.'.repeat(31).concat('abcd.'), type: TYPE.A, class: CLASS_IN };
    assert.throws(
      () => encodeMessage({ ...queryFor(1, long), questions: [long, { ...long, name }] }, MAX_MESSAGE),
      WireError,
    );
  });
}

test('the longest names can be written', () => {
  for (const name of [`${'abcdefg.'.repeat(31)}abcde.`, `${'x'.repeat(63)}.`, `${'\\001'.repeat(63)}.`]) {
    const bytes = encodeMessage(queryFor(1, { name, type: TYPE.A, class: CLASS_IN }), MAX_MESSAGE);
    assert.equal(decodeMessage(bytes).questions[0]?.name, name);
    assert.deepEqual(bytes.subarray(12, -4), nameBytes(name));
  }
});

test('a record that no length field can hold cannot be written', () => {
  const texts = Array.from({ length: 300 }, () => 'x'.repeat(255));
  assert.throws(() => encodeMessage(reply([{ name: 'a.', ttl: 1, type: TYPE.TXT, texts }]), MAX_MESSAGE), WireError);
  const bytes = Buffer.alloc(70_000);
  assert.throws(
    () => encodeMessage(reply([{ name: 'a.', ttl: 1, type: 'other', code: 99, bytes }]), MAX_MESSAGE),
    WireError,
  );
});

const label = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 20,
});
const name = fc.array(label, { maxLength: 6 }).map(nameOf);
const ttl = fc.integer({ min: 0, max: 0x7fff_ffff });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const ipv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => formatIp({ family: 'IPv6', value }));
const options = fc.array(
  fc.record(
    { code: uint16, bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 3 },
);
const edns = fc.record(
  { size: uint16, version: fc.nat(255), dnssecOk: fc.boolean(), options },
  { requiredKeys: ['size', 'version', 'dnssecOk'], noNullPrototype: true },
);
const frame = fc.record({
  id: uint16,
  isResponse: fc.boolean(),
  opcode: fc.nat(15),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(fc.record({ name, type: uint16, class: uint16 }, { noNullPrototype: true }), { maxLength: 2 }),
});
const record: fc.Arbitrary<Record> = fc
  .oneof(
    fc.record({ name, ttl, type: fc.constant(TYPE.A), address: fc.ipV4() }),
    fc.record({ name, ttl, type: fc.constant(TYPE.AAAA), address: ipv6 }),
    fc.record({ name, ttl, type: fc.constantFrom(TYPE.NS, TYPE.CNAME, TYPE.PTR), target: name }),
    fc.record({ name, ttl, type: fc.constant(TYPE.SRV), priority: uint16, weight: uint16, port: uint16, target: name }),
    fc.record({ name, ttl, type: fc.constant(TYPE.TXT), texts: fc.array(label, { minLength: 1, maxLength: 3 }) }),
    fc.record({
      name,
      ttl,
      type: fc.constant(TYPE.SOA),
      mname: name,
      rname: name,
      serial: uint32,
      refresh: uint32,
      retry: uint32,
      expire: uint32,
      minimum: uint32,
    }),
    fc.record({
      name,
      ttl,
      type: fc.constant('other' as const),
      code: fc.constantFrom(65, 99, 257),
      bytes: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    }),
  )
  .map((each) => ({ ...each }));

const records = fc.array(record, { maxLength: 6 });
const message: fc.Arbitrary<Message> = fc
  .tuple(frame, fc.record({ answers: records, authorities: records, additionals: records }), fc.option(edns))
  .map(([head, sections, opt]) => ({ ...head, ...sections, ...(opt && { edns: opt }) }));

test('every message is the same after the wire', () => {
  fc.assert(
    fc.property(message, (one) => {
      assert.deepEqual(decodeMessage(encodeMessage(one, MAX_MESSAGE)), one);
    }),
    { numRuns: 300 },
  );
});

test('an extended code is the same after the wire, and without OPT there is room for four bits', () => {
  fc.assert(
    fc.property(message, fc.nat(0xfff), (one, rcode) => {
      const read = decodeMessage(encodeMessage({ ...one, rcode }, MAX_MESSAGE));
      assert.equal(read.rcode, one.edns ? rcode : rcode & 15);
    }),
  );
});

test('addresses are spelled as everywhere else', () => {
  fc.assert(
    fc.property(fc.oneof(ipv6, fc.ipV6()), (text) => {
      const canonical = formatIp(parseIp(text)!);
      const bytes = encodeMessage(reply([{ name: '.', ttl: 0, type: TYPE.AAAA, address: text }]), MAX_MESSAGE);
      assert.deepEqual(decodeMessage(bytes).answers, [{ name: '.', ttl: 0, type: TYPE.AAAA, address: canonical }]);
    }),
    { numRuns: 1000 },
  );
  for (const text of ['::', '::1', '1::', '::ffff:1.2.3.4', '1:0:0:2::3', '1:2:3:4:5:6:7:8', '0:0:1::']) {
    assert.equal(ipv6Text(addressBytes(text, 16), 0), formatIp(parseIp(text)!));
  }
});

for (const [text, length] of [
  ['1.2.3', 4],
  ['1.2.3.4.5', 4],
  ['01.2.3.4', 4],
  ['1.2.3.256', 4],
  ['1..2.3', 4],
  ['', 4],
  ['::1', 4],
  ['1.2.3.4', 16],
  ['1::2::3', 16],
  ['1:2:3:4:5:6:7:8:9', 16],
  ['1:2:3:4:5:6:7::8', 16],
  ['1:2:3:4:5:6:7', 16],
  ['12345::', 16],
  ['g::', 16],
  ['::1.2.3', 16],
  ['1.2.3.4::', 16],
  ['fe80::1%eth0', 16],
] as const) {
  test(`${JSON.stringify(text)} is no address of ${String(length)} bytes`, () => {
    assert.throws(() => addressBytes(text, length), WireError);
    const family = length === 4 ? 'IPv4' : 'IPv6';
    assert.notEqual(parseIp(text)?.family, family);
  });
}

test('whatever the limit, the bytes keep to it and can be read', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), fc.integer({ min: 512, max: 2000 }), (answers, limit) => {
      const bytes = encodeMessage(reply(answers), limit);
      assert.ok(bytes.length <= limit);
      const read = decodeMessage(bytes);
      assert.equal(read.truncated, read.answers.length < answers.length);
    }),
  );
});
