import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { CLASS_IN, queryFor, TYPE, type Message } from '../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../wire/message-codec.ts';
import { QuestionKey } from './question-key.ts';

const question = { name: 'web.default.svc.cluster.local.', type: TYPE.A, class: CLASS_IN };
const edns = { size: 1232, version: 0, dnssecOk: false };
const query = (change: Partial<Message> = {}) => encodeMessage({ ...queryFor(7, question), ...change }, MAX_MESSAGE);

function read(bytes: Buffer, source = 0) {
  const key = new QuestionKey(42);
  return key.read(bytes, source) ? key : undefined;
}

test('what decides the answer decides the key, and letters have no case', () => {
  const [plain, capitals] = [
    read(query()),
    read(query({ questions: [{ ...question, name: 'WEB.default.SVC.cluster.loCal.' }] })),
  ];
  assert.equal(plain?.hash, capitals?.hash);
  assert.deepEqual([plain?.isLower, capitals?.isLower], [true, false]);
  assert.equal(
    Buffer.from(capitals!.name.subarray(0, capitals!.nameLength)).toString('latin1'),
    '\x03web\x07default\x03svc\x07cluster\x05local\0',
  );
  const others = [
    read(query({ edns })),
    read(query({ edns: { ...edns, dnssecOk: true } })),
    read(query({ questions: [{ ...question, type: TYPE.AAAA }] })),
    read(query({ questions: [{ ...question, name: 'wea.default.svc.cluster.local.' }] })),
    read(query(), 1),
  ];
  assert.equal(new Set([plain, ...others].map((key) => key?.hash)).size, 6);
});

for (const [size, limit] of [
  [undefined, 512],
  [0, 512],
  [511, 512],
  [1232, 1232],
  [65_535, 4096],
] as const) {
  test(`who takes ${String(size)} bytes gets up to ${String(limit)}`, () => {
    assert.equal(read(query(size === undefined ? {} : { edns: { ...edns, size } }))?.size, limit);
  });
}

test('what resolvers send is ordinary', () => {
  const text = readFileSync(new URL('../wire/testdata/resolvers.hex', import.meta.url), 'utf8');
  const queries = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const kinds = queries.map((hex) => {
    const key = read(Buffer.from(hex, 'hex'));
    return [key?.type, key?.variant, key?.size];
  });
  const plain = [
    [TYPE.A, 0, 512],
    [TYPE.AAAA, 0, 512],
  ];
  assert.deepEqual(kinds, [...plain, ...plain, ...plain, [TYPE.A, 0, 512], [TYPE.A, 1, 4096], [TYPE.A, 2, 4096]]);
});

const changed = (bytes: Buffer, at: number, value: number) => {
  bytes[at] = value;
  return bytes;
};

for (const [why, bytes] of [
  ['an answer', query({ isResponse: true })],
  ['another operation', query({ opcode: 4 })],
  ['no wish for recursion', query({ recursionDesired: false })],
  ['CD', query({ checkingDisabled: true })],
  ['TC', query({ truncated: true })],
  ['the reserved flag', changed(query(), 3, 0x40)],
  ['a code', query({ rcode: 3 })],
  ['no question', query({ questions: [] })],
  ['two questions', query({ questions: [question, question] })],
  ['another class', query({ questions: [{ ...question, class: 3 }] })],
  ['an answer in it', query({ answers: [{ name: 'a.', ttl: 1, type: TYPE.A, address: '192.0.2.1' }] })],
  ['an authority in it', query({ authorities: [{ name: 'a.', ttl: 1, type: TYPE.A, address: '192.0.2.1' }] })],
  ['an additional record', query({ additionals: [{ name: '.', ttl: 1, type: TYPE.TXT, texts: [] }] })],
  ['a later EDNS', query({ edns: { ...edns, version: 1 } })],
  ['an extended code', query({ edns, rcode: 16 })],
  ['a flag of EDNS that nobody knows', changed(query({ edns }), query({ edns }).length - 3, 1)],
  ['options', query({ edns: { ...edns, options: [{ code: 10, bytes: Buffer.alloc(8) }] } })],
  ['something behind it', Buffer.concat([query(), Buffer.of(0)])],
  ['something behind OPT', Buffer.concat([query({ edns }), Buffer.of(0)])],
  ['a pointer in the name', Buffer.from('0007010000010000000000000161c00c00010001', 'hex')],
  ['OPT missing', changed(query(), 11, 1)],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`a query with ${why} is left to be read as a whole`, () => {
    assert.equal(read(bytes), undefined);
  });
}

test('AD alone may be set', () => {
  assert.ok(read(query({ authenticData: true })));
});

test('what is taken for an ordinary query reads the same as a whole, whatever was changed in it', () => {
  const plain = [query(), query({ edns }), query({ edns: { ...edns, dnssecOk: true }, authenticData: true })];
  const change = fc.tuple(fc.nat(80), fc.integer({ min: 0, max: 255 }));
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...plain), fc.array(change, { maxLength: 3 }), fc.nat(80), (bytes, changes, cut) => {
      const one = Buffer.from(bytes.subarray(0, cut < 60 ? bytes.length : cut));
      for (const [at, byte] of changes) if (at < one.length) one[at] = byte;
      const key = read(one);
      if (!key) return;
      taken++;
      const { id: _, authenticData: _ad, questions, edns: opt, ...rest } = decodeMessage(one);
      const { id: _id, authenticData: _own, questions: _questions, ...expected } = decodeMessage(query());
      assert.deepEqual(rest, expected);
      assert.deepEqual([questions.length, questions[0]?.type, questions[0]?.class], [1, key.type, CLASS_IN]);
      assert.equal(key.variant, opt ? (opt.dnssecOk ? 2 : 1) : 0);
      const again = read(encodeMessage({ ...queryFor(1, questions[0]!), ...(opt && { edns: opt }) }, MAX_MESSAGE));
      assert.equal(again?.hash, key.hash);
    }),
    { numRuns: 5000 },
  );
  assert.ok(taken > 500, String(taken));
});
