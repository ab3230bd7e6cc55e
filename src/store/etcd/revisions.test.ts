import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RevisionReader, type WireEvent, type WireWatchResponse } from './revisions.ts';

const response = (
  events: WireEvent[],
  fragment: boolean,
  more: Partial<WireWatchResponse> = {},
): WireWatchResponse => ({
  header: { revision: 99 },
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment,
  events,
  ...more,
});
const event = (revision: number, key: string): WireEvent => ({
  type: 'PUT',
  kv: { key: `/p${key}`, createRevision: revision, modRevision: revision, value: '' },
  prevKv: null,
});

test('however a batch is cut, each revision comes whole, once and in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 8 }), fc.array(fc.boolean()), (sizes, cuts) => {
      const all = sizes.flatMap((size, at) =>
        Array.from({ length: size }, (_, nth) => event(at + 1, `/${String(nth)}`)),
      );
      const pieces: WireEvent[][] = [[]];
      for (const [at, each] of all.entries()) {
        if (cuts[at] === true) pieces.push([]);
        pieces.at(-1)?.push(each);
      }
      const reader = new RevisionReader(2);
      const told = pieces
        .filter((piece) => piece.length > 0)
        .flatMap((piece, at, { length }) => reader.read(response(piece, at < length - 1)));
      assert.deepEqual(
        told.map(({ revision, events }) => [revision, events.map(({ key }) => key)]),
        sizes.map((size, at) => [at + 1, Array.from({ length: size }, (_, nth) => `/${String(nth)}`)]),
      );
    }),
  );
});

test('an answer without events is progress, but not when the watch has only been made or a revision is open', () => {
  const reader = new RevisionReader(2);
  assert.deepEqual(reader.read(response([], false, { created: true })), []);
  assert.deepEqual(reader.read(response([], false)), [{ revision: 99, events: [] }]);
  assert.deepEqual(reader.read(response([event(5, '/a')], true)), []);
  assert.deepEqual(reader.read(response([], false)), []);
  assert.equal(reader.read(response([event(5, '/b')], false))[0]?.events.length, 2);
});

test('a deletion tells what was there', () => {
  const kv = { key: '/p/a', createRevision: 0, modRevision: 7, value: '' };
  const prevKv = { key: '/p/a', createRevision: 3, modRevision: 5, value: 'last' };
  const [told] = new RevisionReader(2).read(response([{ type: 'DELETE', kv, prevKv }], false));
  assert.deepEqual(told?.events, [
    { type: 'delete', key: '/a', value: 'last', revision: 7, createRevision: 3, previous: 'last' },
  ]);
});
