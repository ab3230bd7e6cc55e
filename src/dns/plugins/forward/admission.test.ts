import assert from 'node:assert/strict';
import test from 'node:test';
import { admission } from './admission.ts';

const enterMany = (gate: ReturnType<typeof admission>, asker: string, times: number) =>
  Array.from({ length: times }, () => gate.enter(asker)).filter(Boolean).length;

test('no more than the limit are under way', () => {
  const gate = admission(10);
  const entered = Array.from({ length: 20 }, (_, at) => gate.enter(`10.0.0.${String(at)}`)).filter(Boolean).length;
  assert.deepEqual([entered, gate.underWay], [10, 10]);
});

test('one that asks for everything leaves room for the others', () => {
  const gate = admission(100);
  assert.equal(enterMany(gate, 'greedy', 1000), 50);
  assert.equal(enterMany(gate, 'second', 1000), 34);
  assert.equal(enterMany(gate, 'third', 1), 1);
});

test('who leaves makes room', () => {
  const gate = admission(2);
  assert.deepEqual([gate.enter('a'), gate.enter('b'), gate.enter('c')], [true, true, false]);
  gate.leave('a');
  assert.equal(gate.enter('c'), true);
  gate.leave('nobody');
  assert.equal(gate.underWay, 2);
});
