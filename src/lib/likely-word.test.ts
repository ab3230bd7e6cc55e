import assert from 'node:assert/strict';
import test from 'node:test';
import { likelyWord } from './likely-word.ts';

const WORDS = ['forward', 'cache', 'hosts', 'kubernetes', 'any', 'log', 'loop'];
for (const [typed, meant] of [
  ['forwrd', 'forward'],
  ['Kubernets', 'kubernetes'],
  ['caching', undefined],
  ['cahce', undefined],
  ['host', 'hosts'],
  ['lop', 'log'],
  ['frobnicate', undefined],
  ['', undefined],
] as const) {
  test(`${typed === '' ? 'nothing' : typed} is meant as ${meant ?? 'no word there is'}`, () => {
    assert.equal(likelyWord(typed, WORDS), meant);
  });
}
