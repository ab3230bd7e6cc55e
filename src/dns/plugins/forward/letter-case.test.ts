import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { mixCase } from './letter-case.ts';

const all = (byte: number) => new Uint8Array(32).fill(byte);

test('letters take the case of their bit, nothing else changes', () => {
  assert.equal(mixCase('www.Example-1.org.', all(0)), 'www.example-1.org.');
  assert.equal(mixCase('www.Example-1.org.', all(0xff)), 'WWW.EXAMPLE-1.ORG.');
  assert.equal(mixCase('abcdefgh.', Uint8Array.of(0b1010_0101)), 'AbCdeFgH.');
  assert.equal(mixCase('a\\046b\\255.', all(0xff)), 'A\\046B\\255.');
});

test('it is the same name, whatever the bits', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^([a-zA-Z0-9-]{1,10}\.){1,12}$/), fc.uint8Array({ maxLength: 32 }), (name, bits) => {
      assert.equal(mixCase(name, bits).toLowerCase(), name.toLowerCase());
    }),
  );
});
