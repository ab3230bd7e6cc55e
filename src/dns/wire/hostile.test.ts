/** What comes from the network may be anything: it is read, or refused with a WireError, in a time that its length bounds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { typeName } from './record-text.ts';
import type { Message } from './message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from './message-codec.ts';
import { WireError } from './wire-error.ts';

const corpus = ['dig-and-named', 'resolvers']
  .flatMap((name) => readFileSync(new URL(`testdata/${name}.hex`, import.meta.url), 'utf8').split('\n'))
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => Buffer.from(line, 'hex'));

/** Undefined: refused. Anything but a WireError is a crash. */
function read(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    assert.ok(error instanceof WireError, String(error));
    return undefined;
  }
}

test('real messages are read, and are the same after they were written again', () => {
  const types = new Set<string>();
  for (const bytes of corpus) {
    const message = decodeMessage(bytes);
    assert.deepEqual(decodeMessage(encodeMessage(message, MAX_MESSAGE)), message);
    for (const record of message.answers) types.add(typeName(record.type === 'other' ? record.code : record.type));
  }
  const wanted = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SOA', 'SRV', 'TXT'];
  assert.deepEqual([...types].filter((type) => wanted.includes(type)).sort(), wanted);
  // CAA, DNSKEY, HTTPS, RRSIG, one of nobody's (RFC 3597)
  for (const code of [257, 48, 65, 46, 65_280])
    assert.ok(types.has(`TYPE${String(code)}`) || types.has(typeName(code)));
});

test('real queries keep their options', () => {
  const codes = new Set(corpus.flatMap((bytes) => (decodeMessage(bytes).edns?.options ?? []).map(({ code }) => code)));
  assert.deepEqual(
    [...codes].sort((a, b) => a - b),
    [3, 8, 10, 12],
  );
});

test('every message cut short is refused', () => {
  for (const bytes of corpus) {
    for (let length = 0; length < bytes.length; length++) assert.equal(read(bytes.subarray(0, length)), undefined);
  }
});

test('every message with one bit changed is refused, or means one thing', () => {
  let accepted = 0;
  for (const bytes of corpus) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const message = read(changed);
      if (!message) continue;
      accepted++;
      // each eighth: all of them take a second
      if (bit % 8 === 3) assert.deepEqual(decodeMessage(encodeMessage(message, MAX_MESSAGE)), message);
    }
  }
  assert.ok(accepted > 10_000, String(accepted));
});

test('what follows the last record is not looked at', () => {
  for (const bytes of corpus) {
    assert.deepEqual(decodeMessage(Buffer.concat([bytes, Buffer.from('c00c3fffff', 'hex')])), decodeMessage(bytes));
  }
});

const QUESTION = '0000' + '0000' + '0001' + '0000' + '0000' + '0000';
const TYPE_CLASS = '0001' + '0001';
const ANSWER = '0000' + '8000' + '0000' + '0001' + '0000' + '0000';
const OPT = '00' + '0029' + '1000' + '00000000';
/** One question for `a.`, then additional records. */
const withAdditionals = (...records: string[]) =>
  `00000000000100000000${records.length.toString(16).padStart(4, '0')}` + '016100' + TYPE_CLASS + records.join('');

for (const [why, hex] of [
  ['nothing at all', ''],
  ['too short', '0000'],
  ['a pointer to itself', QUESTION + 'c00c' + TYPE_CLASS],
  ['two pointers in a ring', QUESTION + 'c00e' + 'c00c' + TYPE_CLASS],
  ['a label before a pointer to it', QUESTION + '0161' + 'c00c' + TYPE_CLASS],
  ['a pointer forward', QUESTION + 'c012' + TYPE_CLASS + '016100'],
  ['a pointer into the header', QUESTION + 'c000' + TYPE_CLASS],
  ['a pointer past the end', QUESTION + 'c0ff' + TYPE_CLASS],
  ['half a pointer', QUESTION + 'c0'],
  ['a label past the end', QUESTION + '3f61'],
  ['a label of an unknown kind', QUESTION + '8061' + '00'],
  ['a label of the kind that was given up', QUESTION + '4161' + '00' + TYPE_CLASS],
  ['a name without an end', QUESTION + '0161'],
  ['a name of 256 bytes', QUESTION + '0761626364656667'.repeat(31) + '0661626364656600' + TYPE_CLASS],
  ['a question without a class', QUESTION + '0161' + '00' + '0001'],
  ['more questions than there are', '0000000000ff00000000' + '0000' + '0161' + '00' + TYPE_CLASS],
  [
    'more answers than there are',
    '000080000000ffff0000' + '0000' + '00' + TYPE_CLASS + '00000000' + '0004' + '01020304',
  ],
  ['a record past the end', ANSWER + '00' + TYPE_CLASS + '00000000' + 'ffff' + '01020304'],
  ['an address of the wrong length', ANSWER + '00' + TYPE_CLASS + '00000000' + '0003' + '010203'],
  ['a text past its record', ANSWER + '00' + '0010' + '0001' + '00000000' + '0002' + '0561' + '6262626262'],
  ['a target past its record', ANSWER + '00' + '0005' + '0001' + '00000000' + '0002' + '0161' + '00'],
  ['a target that leaves something over', ANSWER + '00' + '0005' + '0001' + '00000000' + '0004' + '0161' + '00' + '00'],
  ['an SOA without its numbers', ANSWER + '00' + '0006' + '0001' + '00000000' + '0002' + '0000'],
  ['OPT twice', withAdditionals(`${OPT}0000`, `${OPT}0000`)],
  ['OPT with a name', withAdditionals('0162' + `${OPT}0000`)],
  ['OPT among the answers', '0000' + '0000' + '0000' + '0001' + '0000' + '0000' + `${OPT}0000`],
  ['an option past its record', withAdditionals(`${OPT}0005` + '000a' + '0002' + '00')],
  ['half an option', withAdditionals(`${OPT}0003` + '000a' + '00')],
] as const) {
  test(`${why} is refused`, () => {
    assert.throws(() => decodeMessage(Buffer.from(hex, 'hex')), WireError);
  });
}

test('a name of 255 bytes is read', () => {
  const hex = QUESTION + '0761626364656667'.repeat(31) + '05616263646500' + TYPE_CLASS;
  assert.equal(decodeMessage(Buffer.from(hex, 'hex')).questions[0]?.name.length, 254);
});

/** As many records as there is room for, each with the name that `pointer` leads to, after one record with `data`. */
function bomb(data: Buffer, pointer: number): Buffer {
  const head = Buffer.alloc(12 + 11 + data.length);
  head.writeUInt16BE(0x8000, 2);
  head.writeUInt16BE(99, 13);
  head.writeUInt16BE(1, 15);
  head.writeUInt16BE(data.length, 21);
  data.copy(head, 23);
  const one = Buffer.from(
    `${(0xc000 | pointer).toString(16)}${TYPE_CLASS}0000000000 0401020304`.replaceAll(' ', ''),
    'hex',
  );
  const count = Math.floor((MAX_MESSAGE - head.length) / one.length);
  head.writeUInt16BE(count + 1, 6);
  return Buffer.concat([head, ...Array.from({ length: count }, () => one)]);
}

function timed(bytes: Buffer): number {
  const begin = performance.now();
  read(bytes);
  return performance.now() - begin;
}

test('bombs of compression take no longer than their length allows', () => {
  const plain = timed(bomb(Buffer.from('016100', 'hex'), 23));
  // each name 255 bytes, each of which text shows as four
  const long = Buffer.from(`${'07' + '01'.repeat(7)}`.repeat(31) + '0501010101 0100'.replace(' ', ''), 'hex');
  // each name 8,000 pointers, one after the other
  const chain = Buffer.alloc(16_000);
  chain.writeUInt16BE(0x0161, 0);
  for (let at = 3; at + 2 <= chain.length; at += 2) chain.writeUInt16BE(0xc000 | (at === 3 ? 23 : 23 + at - 2), at);
  for (const bytes of [bomb(long, 23), bomb(chain, 23 + chain.length - 3)]) {
    const took = timed(bytes);
    assert.ok(took < 200 + 50 * plain, `${String(took)} ms, beside ${String(plain)} ms`);
  }
  assert.ok((read(bomb(long, 23))?.answers.length ?? 0) > 4000);
  assert.equal(read(bomb(chain, 23 + chain.length - 3)), undefined);
});

test('garbage never does worse than be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      read(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('real messages with several bytes changed never do worse than be refused', () => {
  const change = fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(change, { minLength: 1, maxLength: 8 }), (bytes, changes) => {
      const changed = Buffer.from(bytes);
      for (const [at, byte] of changes) changed[at % changed.length] = byte;
      const message = read(changed);
      if (message) assert.deepEqual(decodeMessage(encodeMessage(message, MAX_MESSAGE)), message);
    }),
    { numRuns: 3000 },
  );
});
