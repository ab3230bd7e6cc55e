import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a32, sha256Base32 } from './hash.ts';

test('base32 of SHA-256 agrees with coreutils', () => {
  // printf abc | sha256sum | cut -d' ' -f1 | xxd -r -p | base32; the 52nd character is mostly padding.
  assert.equal(sha256Base32('abc', 51), 'XJ4BNP4PAHH6UQKBIDPF3LRCEOYAGYNDSYLXVHFUCD7WD4QACWW');
  assert.equal(sha256Base32('abc', 16), 'XJ4BNP4PAHH6UQKB');
  assert.equal(sha256Base32('', 8), '4OYMIQUY');
});

test('FNV-1a gives the published values', () => {
  assert.equal(fnv1a32(''), 0x811c9dc5);
  assert.equal(fnv1a32('a'), 0xe40c292c);
  assert.equal(fnv1a32('foobar'), 0xbf9cf968);
});
