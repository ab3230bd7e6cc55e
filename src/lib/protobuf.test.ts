import assert from 'node:assert/strict';
import { test } from 'node:test';
import { varint, WIRE, WireReader } from './protobuf.ts';

const numbers: [number | bigint, string][] = [
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [2n ** 63n, '80808080808080808001'],
  [-1, 'ffffffffffffffffff01'],
];
for (const [number, bytes] of numbers) {
  test(`${String(number)} is written as ${bytes} and read back`, () => {
    assert.equal(varint(number).toString('hex'), bytes);
    assert.equal(BigInt.asIntN(64, new WireReader(varint(number)).varint()), BigInt.asIntN(64, BigInt(number)));
  });
}

test('every wire type is read, and the next field begins where it ends', () => {
  const reader = new WireReader(
    Uint8Array.from(Buffer.from('0805 110100000000000080 1a026869 2501020304'.replaceAll(' ', ''), 'hex')),
  );
  const fields: [number, number, string][] = [];
  while (!reader.ended) {
    const { field, wire } = reader.tag();
    const value = reader.value(wire);
    fields.push([field, wire, typeof value === 'bigint' ? String(value) : value.toString('hex')]);
  }
  assert.deepEqual(fields, [
    [1, WIRE.varint, '5'],
    [2, WIRE.fixed64, '9223372036854775809'],
    [3, WIRE.length, '6869'],
    [4, WIRE.fixed32, '01020304'],
  ]);
});

const broken: [string, string, RegExp][] = [
  ['a number without its end', '0880', /does not end/],
  ['a number of more than 64 bits', '08ffffffffffffffffffff01', /does not end/],
  ['bytes that are missing', '0a05aa', /longer than its message/],
  ['a length beyond all measure', '0affffffffffffffffff01', /longer than its message/],
  ['half a fixed number', '0901', /longer than its message/],
  ['a group', '0b', /wire type 3/],
];
for (const [name, hex, expected] of broken) {
  test(`${name} is a RangeError`, () => {
    const reader = new WireReader(Buffer.from(hex, 'hex'));
    assert.throws(() => reader.value(reader.tag().wire), { name: 'RangeError', message: expected });
  });
}
