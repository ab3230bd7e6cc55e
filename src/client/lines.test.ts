import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readLines, readText } from './lines.ts';

async function* chunksOf(bytes: Buffer, sizes: readonly number[]) {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('lines come out whole however the bytes were cut', async () => {
  const lines = fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', '')));
  await fc.assert(
    fc.asyncProperty(lines, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (expected, sizes) => {
      const bytes = Buffer.from(expected.map((line) => `${line}\n`).join(''));
      const got: string[] = [];
      for await (const line of readLines(chunksOf(bytes, sizes), 1000)) got.push(line);
      assert.deepEqual(got, expected);
    }),
  );
});

test('a last line without its newline counts', async () => {
  const got: string[] = [];
  for await (const line of readLines(chunksOf(Buffer.from('a\nb'), [1]), 10)) got.push(line);
  assert.deepEqual(got, ['a', 'b']);
});

test('a line or an answer that is too long is refused before it is held', async () => {
  const endless = async function* () {
    for (;;) {
      await Promise.resolve();
      yield Buffer.alloc(100, 120);
    }
  };
  await assert.rejects(readLines(endless(), 1000).next(), /longer than 1000 bytes/);
  await assert.rejects(readText(endless(), 1000), /longer than 1000 bytes/);
});
