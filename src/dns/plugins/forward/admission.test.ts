import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
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
  assert.equal(enterMany(gate, 'second', 1000), 25);
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

test('whatever is asked, the last place is left to one who has nothing under way, and he is let in while there is any', () => {
  const step = fc.record({
    asker: fc.integer({ min: 0, max: 9 }).map(String),
    enters: fc.constantFrom(true, true, true, false),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 300 }), (limit, steps) => {
      const gate = admission(limit);
      const under = new Map<string, number>();
      for (const { asker, enters } of steps) {
        const own = under.get(asker) ?? 0;
        if (enters) {
          const before = gate.underWay;
          const isIn = gate.enter(asker);
          if (own === 0) assert.equal(isIn, before < limit);
          else if (isIn) assert.ok(gate.underWay < limit, 'the last place was taken by one who had some');
          if (isIn) under.set(asker, own + 1);
        } else if (own > 0) {
          gate.leave(asker);
          under.set(asker, own - 1);
        }
        assert.equal(
          gate.underWay,
          [...under.values()].reduce((sum, each) => sum + each, 0),
        );
        assert.ok(gate.underWay <= limit);
      }
    }),
  );
});
