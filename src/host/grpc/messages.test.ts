import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GrpcError } from './grpc-error.ts';
import { frameOf, MessageReader } from './messages.ts';

test('messages come out as they went in, however the network cuts them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (messages, cuts) => {
        const bytes = Buffer.concat(messages.map((each) => frameOf(Buffer.from(each))));
        const reader = new MessageReader(40);
        const read: Buffer[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const end = at + (cuts[cut % Math.max(cuts.length, 1)] ?? 7);
          read.push(...reader.read(bytes.subarray(at, end)));
          at = end;
        }
        assert.deepEqual(
          read.map((each) => [...each]),
          messages.map((each) => [...each]),
        );
        assert.ok(reader.ended);
      },
    ),
  );
});

test('a message that is too long or compressed is refused before it is read', () => {
  assert.throws(() => new MessageReader(10).read(frameOf(Buffer.alloc(11)).subarray(0, 5)), GrpcError);
  assert.throws(() => new MessageReader(10).read(Buffer.from([1, 0, 0, 0, 0])), /not one uncompressed message/);
});

test('an unfinished message is noticed', () => {
  const reader = new MessageReader(10);
  assert.deepEqual(reader.read(frameOf(Buffer.from('abc')).subarray(0, 6)), []);
  assert.equal(reader.ended, false);
});
