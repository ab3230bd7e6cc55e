import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Truth } from './truth.ts';

/** `a` until a write of `b` that was sent at 100 and acknowledged at 110; then `c`, 200 to 210. */
function history(): Truth {
  const truth = new Truth('a');
  truth.sent('b', 100).acknowledged(110);
  truth.sent('c', 200).acknowledged(210);
  return truth;
}

const staleness = (value: string, asked: number, heard: number) => {
  const judgement = history().judge(value, asked, heard);
  return judgement.isTrue ? judgement.staleness : 'never true';
};

test('what is so is true', () => {
  assert.equal(staleness('a', 50, 60), 0);
  assert.equal(staleness('c', 500, 501), 0);
});

test('while a write is on its way both are true', () => {
  assert.equal(staleness('a', 105, 106), 0);
  assert.equal(staleness('b', 99, 101), 0);
});

test('an answer is as old as the acknowledgement that ended it was before the question', () => {
  assert.equal(staleness('a', 150, 151), 40);
  assert.equal(staleness('b', 230, 290), 20);
});

test('what was not written yet, or never, is not true', () => {
  assert.equal(staleness('b', 90, 99), 'never true');
  assert.equal(staleness('x', 500, 501), 'never true');
});

test('what came back counts from its last time', () => {
  const truth = history();
  truth.sent('a', 300).acknowledged(310);
  assert.deepEqual(truth.judge('a', 400, 401), { isTrue: true, until: Infinity, staleness: 0 });
  assert.deepEqual(truth.judge('a', 250, 260), { isTrue: true, until: 110, staleness: 140 });
});

test('a write that failed leaves everything as it was', () => {
  const truth = history();
  truth.sent('d', 300).failed();
  assert.equal(truth.now, 'c');
  assert.deepEqual(truth.judge('d', 400, 401), { isTrue: false });
  assert.deepEqual(truth.judge('c', 400, 401), { isTrue: true, until: Infinity, staleness: 0 });
});
