import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { attributes, eachAttribute, messages, text } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';

const written = (writer: MessageWriter) => writer.buffer.subarray(0, writer.length).toString('hex');

const rows: readonly { name: string; write: (to: MessageWriter) => unknown; hex: string }[] = [
  { name: 'u8 is padded to four bytes', write: (to) => to.u8(1, 0xab), hex: '05000100ab000000' },
  { name: 'u16 is little-endian', write: (to) => to.u16(2, 0x1234), hex: '0600020034120000' },
  { name: 'be16 is in network order', write: (to) => to.be16(2, 0x1234), hex: '0600020012340000' },
  { name: 'u32 takes what is over 2^31', write: (to) => to.u32(3, 0xfffffffe), hex: '08000300feffffff' },
  { name: 'be32 takes negative numbers', write: (to) => to.be32(3, -3), hex: '08000300fffffffd' },
  { name: 'be64 takes what is over 2^32', write: (to) => to.be64(4, 2 ** 33 + 5), hex: '0c0004000000000200000005' },
  { name: 'a string ends with NUL', write: (to) => to.string(1, 'abc'), hex: '0800010061626300' },
  { name: 'bytes are padded', write: (to) => to.bytes(1, Uint8Array.of(1, 2, 3)), hex: '0700010001020300' },
  { name: 'nothing is an attribute of four bytes', write: (to) => to.bytes(1, new Uint8Array(0)), hex: '04000100' },
  {
    name: 'a nested attribute counts what is in it',
    write: (to) => {
      const at = to.open(3);
      to.u8(1, 1).close(at);
    },
    hex: '0c0003800500010001000000',
  },
  {
    name: 'a message counts all of it, with its header',
    write: (to) => to.begin(0xa0c, 0x401, 7).nfgen(2, 10).u8(1, 1).end(),
    hex: '1c0000000c0a01040700000000000000' + '0200000a' + '0500010001000000',
  },
];

for (const { name, write, hex } of rows) {
  test(name, () => {
    const writer = new MessageWriter();
    write(writer);
    assert.equal(written(writer), hex);
  });
}

test('what is written does not depend on when the buffer grows', () => {
  const number = fc.integer({ min: 0, max: 255 });
  const step = fc.oneof(
    fc.record({ op: fc.constantFrom('u8', 'u16', 'u32', 'be16', 'be32', 'be64'), value: number }),
    fc.record({ op: fc.constant('bytes'), value: fc.uint8Array({ maxLength: 100 }) }),
    fc.record({ op: fc.constant('string'), value: fc.string({ maxLength: 100 }) }),
  );
  const write = (capacity: number, steps: readonly { op: string; value: unknown }[]) => {
    const writer = new MessageWriter(capacity).begin(1, 2, 3);
    const at = writer.open(9);
    for (const { op, value } of steps) {
      (writer[op as keyof MessageWriter] as (type: number, value: unknown) => unknown).call(writer, 5, value);
    }
    return written(writer.close(at).end());
  };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.integer({ min: 1, max: 64 }), (steps, capacity) => {
      assert.equal(write(capacity, steps), write(1 << 16, steps));
    }),
  );
});

test('an attribute longer than its length field can tell is refused', () => {
  const writer = new MessageWriter();
  const at = writer.open(1);
  writer.bytes(1, new Uint8Array(0x10000 - 4));
  assert.throws(() => writer.close(at), RangeError);
});

test('memory of a large message is given back', () => {
  const writer = new MessageWriter();
  writer.bytes(1, new Uint8Array(2 << 20)).reset();
  assert.ok(writer.buffer.length <= 1 << 20);
  writer.u8(1, 1);
  assert.equal(written(writer), '0500010001000000');
});

test('messages of a datagram are read in turn', () => {
  const writer = new MessageWriter();
  writer.begin(0x10, 1, 5).nfgen(2).string(1, 'a').end().begin(3, 2, 6).end();
  const read = [...messages(writer.buffer.subarray(0, writer.length))];
  assert.deepEqual(
    read.map(({ type, flags, seq }) => ({ type, flags, seq })),
    [
      { type: 0x10, flags: 1, seq: 5 },
      { type: 3, flags: 2, seq: 6 },
    ],
  );
  assert.equal(text(attributes(read[0]!.payload, 4).get(1)), 'a');
});

test('no bytes whatever make a reader go past their end or on for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const { payload } of messages(Buffer.from(bytes))) assert.ok(payload.length <= bytes.length);
      eachAttribute(bytes, 0, bytes.length, (_type, from, to) => {
        assert.ok(from <= to && to <= bytes.length);
      });
    }),
  );
});
