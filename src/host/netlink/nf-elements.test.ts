import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messages } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import { readElements, readListNames, writeBatch } from './nf-elements.ts';
import type { SetChange, SetElement, VerdictCode } from './nf-tables.ts';

function batch(changes: readonly SetChange[], capacity = 4096) {
  const writer = new MessageWriter(capacity);
  let seq = 1;
  const made = writeBatch(writer, 2, 't', changes, () => seq++);
  return { ...made, messages: [...messages(writer.buffer.subarray(0, writer.length))] };
}

const key = Uint8Array.of(10, 0, 0, 1);
const keyHex = '0c00018008000100' + '0a000001';

/** `hex`: what is within the element. */
const rows: readonly { name: string; op?: 'add' | 'delete'; element: SetElement; hex: string }[] = [
  { name: 'a key', element: { key }, hex: keyHex },
  {
    name: 'a key and a value',
    element: { key, data: Uint8Array.of(0, 80) },
    hex: keyHex + '0c00028006000100' + '00500000',
  },
  {
    name: 'a verdict with its chain',
    element: { key, verdict: { code: 'goto', chain: 'p' } },
    hex: keyHex + '18000280' + '14000280' + '08000100fffffffc' + '0600020070000000',
  },
  {
    name: 'both ends of concatenated intervals',
    element: { key, keyEnd: Uint8Array.of(10, 0, 0, 9) },
    hex: keyHex + '0c000a8008000100' + '0a000009',
  },
  { name: 'the open end of an interval', element: { key, intervalEnd: true }, hex: '0800030000000001' + keyHex },
  { name: 'the catch-all, which has no key', element: { key: new Uint8Array(0) }, hex: '0800030000000002' },
  {
    name: 'a timeout in milliseconds and a comment',
    element: { key, timeout: 1000, comment: 'hi' },
    hex: keyHex + '0c00040000000000000003e8' + '090006000003686900000000',
  },
  {
    name: 'no more than the key of an element that goes',
    op: 'delete',
    element: { key, data: Uint8Array.of(0, 80), comment: 'x', timeout: 5 },
    hex: keyHex,
  },
];

for (const { name, op = 'add', element, hex } of rows) {
  test(`an element is written as the kernel wants it: ${name}`, () => {
    const [, message] = batch([{ op, set: 's', elements: [element] }]).messages;
    assert.deepEqual(readListNames(message!.payload), { table: 't', set: 's' });
    // nfgenmsg, two names, the headers of list and element
    assert.equal(message!.payload.toString('hex', 4 + 8 + 8 + 4 + 4), hex);
  });
}

test('a transaction is one run of messages, of which the last alone is acknowledged', () => {
  const { messages: written, ...made } = batch([
    { op: 'delete', set: 'a', elements: [{ key }] },
    { op: 'add', set: 'b', elements: [{ key }] },
    { op: 'add', set: 'empty', elements: [] },
  ]);
  assert.deepEqual(
    written.map(({ type, flags, seq }) => [type, flags, seq]),
    [
      [0x10, 0x1, 1],
      [0xa0e, 0x1, 2],
      [0xa0c, 0x401 | 0x4, 3],
      [0x11, 0x1, 4],
    ],
  );
  assert.deepEqual(
    [made.firstSeq, made.lastSeq, made.changes.map((one) => 'set' in one && one.set)],
    [1, 3, ['a', 'b']],
  );
});

test('more elements than one list can hold go on in the next message', () => {
  const elements = Array.from({ length: 10_000 }, (_, i) => ({ key: Uint8Array.of(10, 0, i >> 8, i & 255) }));
  const { messages: written, changes, lastSeq } = batch([{ op: 'add', set: 's', elements }]);
  const read: SetElement[] = [];
  for (const { payload, type } of written) if (type === 0xa0c) readElements(payload, read);
  assert.deepEqual(read, elements);
  assert.ok(changes.length > 1);
  assert.equal(lastSeq, changes.length + 1);
  assert.deepEqual(
    written.filter(({ flags }) => (flags & 0x4) !== 0).map(({ seq }) => seq),
    [lastSeq],
  );
});

test('what is written is read back, whatever it is and whenever the buffer grows', () => {
  const value = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const code = fc.constantFrom<VerdictCode>('accept', 'drop', 'continue', 'return');
  const verdict = fc.oneof(
    code.map((of) => ({ code: of })),
    fc
      .tuple(fc.constantFrom<VerdictCode>('goto', 'jump'), fc.stringMatching(/^[a-z]{1,30}$/))
      .map(([of, chain]) => ({ code: of, chain })),
  );
  const element = fc.record(
    {
      key: value,
      keyEnd: value,
      data: value,
      timeout: fc.nat({ max: 2 ** 40 }),
      expires: fc.nat({ max: 2 ** 40 }),
      comment: fc.stringMatching(/^[ -~]{1,100}$/),
    },
    { requiredKeys: ['key'], noNullPrototype: true },
  );
  const either = fc.oneof(
    element,
    fc.tuple(element, verdict).map(([{ data: _, ...rest }, of]) => ({ ...rest, verdict: of })),
  );
  fc.assert(
    fc.property(
      fc.array(either, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 16, max: 300 }),
      (elements, capacity) => {
        const read: SetElement[] = [];
        readElements(batch([{ op: 'add', set: 's', elements }], capacity).messages[1]!.payload, read);
        assert.deepEqual(read, elements);
      },
    ),
  );
});
