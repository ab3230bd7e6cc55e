import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BytesWriter } from './bytes-writer.ts';

test('what is written comes out, whatever was expected and in whatever script', () => {
  const texts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 });
  fc.assert(
    fc.property(texts, fc.nat(100), (parts, expected) => {
      const writer = new BytesWriter(expected);
      for (const part of parts) writer.write(part);
      // A surrogate without its other half is the replacement character, in a part as in the whole.
      assert.equal(writer.bytes().toString(), parts.map((part) => part.toWellFormed()).join(''));
    }),
  );
});
