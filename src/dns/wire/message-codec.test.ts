import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { labelsOf, nameOf } from './domain-name.ts';
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

test('additional records may be missing without a mark', () => {
  const additionals = Array.from({ length: 100 }, (_, at): Record => ({
    name: question.name,
    ttl: 5,
    type: TYPE.A,
    address: `10.0.0.${String(at)}`,
  }));
  const cut = decodeMessage(encodeMessage(reply([], { additionals }), 512));
  assert.deepEqual([cut.truncated, cut.additionals.length > 20], [false, true]);
});

test('an extended code travels in OPT', () => {
  const edns = { size: 1232, version: 0, dnssecOk: true };
  assert.equal(decodeMessage(encodeMessage(reply([], { rcode: RCODE.BADVERS, edns }), 512)).rcode, RCODE.BADVERS);
});

for (const [why, hex] of [
  ['too short', '0000'],
  ['a pointer to itself', '00000000000100000000' + '0000' + 'c00c' + '00010001'],
  ['two pointers in a ring', '00000000000100000000' + '0000' + 'c00e' + 'c00c' + '00010001'],
  ['a pointer past the end', '00000000000100000000' + '0000' + 'c0ff' + '00010001'],
  ['a label past the end', '00000000000100000000' + '0000' + '3f61'],
  ['a label of an unknown kind', '00000000000100000000' + '0000' + '8061' + '00'],
  ['more questions than there are', '0000000000ff00000000' + '0000' + '0161' + '00' + '00010001'],
  [
    'an address of the wrong length',
    '00008000000000010000' + '0000' + '00' + '00010001' + '00000000' + '0003' + '010203',
  ],
  ['a text past its record', '00008000000000010000' + '0000' + '00' + '00100001' + '00000000' + '0002' + '0561'],
] as const) {
  test(`${why} is refused`, () => {
    assert.throws(() => decodeMessage(Buffer.from(hex, 'hex')), WireError);
  });
}

test('odd bytes in labels survive the way through text', () => {
  for (const labels of [['a.b', 'c'], ['\\', '"'], ['\u0000\u00ff', ' '], ['x'.repeat(63)]]) {
    assert.deepEqual(labelsOf(nameOf(labels)), labels);
  }
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
const record: fc.Arbitrary<Record> = fc
  .oneof(
    fc.record({ name, ttl, type: fc.constant(TYPE.A), address: fc.ipV4() }),
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

test('every message is the same after the wire', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), fc.array(record, { maxLength: 5 }), (answers, additionals) => {
      const message = reply(answers, { additionals });
      assert.deepEqual(decodeMessage(encodeMessage(message, MAX_MESSAGE)), message);
    }),
  );
});

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

/** Anything but a WireError is a crash. */
function readOrRefuse(bytes: Buffer): void {
  try {
    decodeMessage(bytes);
  } catch (error) {
    assert.ok(error instanceof WireError, String(error));
  }
}

test('garbage never does worse than be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readOrRefuse(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('a message cut short or with a byte changed never does worse than be refused', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      (answers, cut, at, byte) => {
        const bytes = encodeMessage(reply(answers), MAX_MESSAGE);
        readOrRefuse(bytes.subarray(0, cut % bytes.length));
        bytes[at % bytes.length] = byte;
        readOrRefuse(bytes);
      },
    ),
    { numRuns: 1000 },
  );
});
