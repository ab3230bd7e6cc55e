import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backwards, checkHistory, step, type Op, type State } from './linearizability.ts';

type At = [invoked: number, responded: number];
const common = ([invoked, responded]: At, client = 'c') => ({ client, key: 'k', invoked, responded });
const read = (seen: State, at: At): Op => ({ ...common(at), type: 'read', seen });
type Outcome<T extends Op['type']> = Extract<Op, { type: T; outcome: unknown }>['outcome'];
const create = (next: string, at: At, outcome: Outcome<'create'> = 'ok'): Op => ({
  ...common(at),
  type: 'create',
  next,
  outcome,
});
const update = (expected: string, next: string, at: At, outcome: Outcome<'update'> = 'ok'): Op => ({
  ...common(at),
  type: 'update',
  expected,
  next,
  outcome,
});
const remove = (expected: string, at: At, outcome: Outcome<'delete'> = 'ok'): Op => ({
  ...common(at),
  type: 'delete',
  expected,
  outcome,
});

const good: [string, Op[]][] = [
  ['nothing happened', []],
  ['one after the other', [create('a', [0, 1]), read('a', [2, 3]), update('a', 'b', [4, 5]), read('b', [6, 7])]],
  [
    'a read at the same time as a write sees the old',
    [create('a', [0, 1]), update('a', 'b', [2, 9]), read('a', [3, 4])],
  ],
  ['or the new', [create('a', [0, 1]), update('a', 'b', [2, 9]), read('b', [3, 4])]],
  [
    'two overlapping reads may see new and old when neither was first',
    [create('a', [0, 1]), update('a', 'b', [2, 9]), read('b', [3, 8]), read('a', [4, 7])],
  ],
  [
    'of two who want the same state one is refused',
    [create('a', [0, 1]), update('a', 'b', [2, 5]), update('a', 'c', [2, 5], 'conflict'), read('b', [6, 7])],
  ],
  ['an unknown write happened', [create('a', [0, 1], 'unknown'), read('a', [2, 3])]],
  ['an unknown write did not happen', [create('a', [0, 1], 'unknown'), read(undefined, [2, 3])]],
  ['an unknown write happens late', [create('a', [0, 1], 'unknown'), read(undefined, [2, 3]), read('a', [4, 5])]],
  [
    'an unknown write that nobody read explains a refusal',
    [create('a', [0, 1]), update('a', 'b', [2, 3], 'unknown'), update('a', 'c', [4, 5], 'conflict')],
  ],
  [
    'deleted and made again',
    [
      create('a', [0, 1]),
      remove('a', [2, 3]),
      update('a', 'x', [4, 5], 'absent'),
      create('b', [6, 7]),
      remove('a', [8, 9], 'conflict'),
      create('c', [8, 9], 'exists'),
    ],
  ],
];
for (const [name, history] of good) {
  test(`explained: ${name}`, () => {
    assert.deepEqual(checkHistory(history), { linearizable: true });
  });
}

const bad: [string, Op[]][] = [
  ['a stale read', [create('a', [0, 1]), update('a', 'b', [2, 3]), read('a', [4, 5])]],
  ['a lost write', [create('a', [0, 1]), read(undefined, [2, 3])]],
  ['a value from nowhere', [create('a', [0, 1]), read('z', [2, 3])]],
  ['two who replaced the same state', [create('a', [0, 1]), update('a', 'b', [2, 9]), update('a', 'c', [2, 9])]],
  ['new, then old again', [create('a', [0, 1]), update('a', 'b', [2, 20]), read('b', [3, 4]), read('a', [5, 6])]],
  ['a refusal without a reason', [create('a', [0, 1]), update('a', 'b', [2, 3], 'conflict')]],
  ['made twice', [create('a', [0, 1]), create('b', [2, 3])]],
  ['read before it was sent', [read('a', [0, 1]), create('a', [2, 3])]],
  [
    'an unknown write seen, then not',
    [create('a', [0, 1]), update('a', 'b', [2, 3], 'unknown'), read('b', [4, 5]), read('a', [6, 7])],
  ],
  [
    'an unknown write carried out twice',
    [
      create('a', [0, 1]),
      update('a', 'b', [2, 3], 'unknown'),
      read('b', [4, 5]),
      remove('b', [6, 7]),
      read('b', [8, 9]),
    ],
  ],
  ['a deletion that came back', [create('a', [0, 1]), remove('a', [2, 3]), read('a', [4, 5])]],
];
for (const [name, history] of bad) {
  test(`not explained: ${name}`, () => {
    const verdict = checkHistory(history);
    assert.equal(verdict.linearizable, false);
  });
}

test('keys are judged apart, and the verdict says where it got stuck', () => {
  const other = (op: Op): Op => ({ ...op, key: 'other' });
  const verdict = checkHistory([create('a', [0, 1]), other(create('b', [0, 1])), other(read(undefined, [2, 3]))]);
  assert.ok(!verdict.linearizable);
  assert.equal(verdict.key, 'other');
  assert.equal(verdict.explained, 1);
  assert.deepEqual(verdict.stuck, [other(read(undefined, [2, 3]))]);
});

test('versions follow the order of writes that did not overlap', () => {
  const stamp = (version: number, [invoked, responded]: At) => ({ version, invoked, responded });
  assert.equal(backwards([stamp(2, [0, 5]), stamp(1, [1, 4]), stamp(3, [6, 7])]), undefined);
  const [first, second] = [stamp(5, [0, 1]), stamp(4, [2, 3])];
  assert.deepEqual(backwards([stamp(1, [0, 9]), second, first]), [first, second]);
});

/** Asks for something in a state that it may or may not still be in. */
const wish = fc.record({
  type: fc.constantFrom('read', 'create', 'update', 'delete'),
  client: fc.nat(3),
  /** How many states ago the client looked. */
  stale: fc.nat(2),
  before: fc.nat(8),
  after: fc.nat(8),
  lost: fc.nat(9).map((each) => each === 0),
});

/** A register that really does one thing at a time, asked by clients whose answers take their time, and are lost now and then. */
function simulate(wishes: readonly (typeof wish extends fc.Arbitrary<infer T> ? T : never)[]): Op[] {
  let state: State;
  const states: State[] = [undefined];
  return wishes.map(({ type, client, stale, before, after, lost }, at): Op => {
    const moment = 10 * at;
    const meta = { client: String(client), key: 'k', invoked: moment - before * 3, responded: moment + after * 3 };
    const next = `v${String(at)}`;
    const expected = states.at(-1 - stale) ?? 'v?';
    if (type === 'read') return { ...meta, type, seen: state };
    const conditional = state === undefined ? 'absent' : state === expected ? 'ok' : 'conflict';
    const outcome = type === 'create' ? (state === undefined ? 'ok' : 'exists') : conditional;
    if (outcome === 'ok') {
      state = type === 'delete' ? undefined : next;
      states.push(state);
    }
    const told = lost ? 'unknown' : outcome;
    return { ...meta, type, next, expected, outcome: told } as Op;
  });
}

test('whatever a register does is explained, and a read of what it never was is not', () => {
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 40 }), fc.nat(), (wishes, pick) => {
      const history = simulate(wishes);
      assert.deepEqual(checkHistory(history), { linearizable: true });
      const last = Math.max(...history.map(({ responded }) => responded));
      // At the end, when all is over, the first value that was replaced for good cannot be read any more.
      const replaced = history.filter((op) => op.type === 'update' && op.outcome === 'ok');
      const victim = replaced[pick % Math.max(replaced.length, 1)];
      if (victim?.type !== 'update') return;
      const planted: Op = { ...common([last + 1, last + 2]), type: 'read', seen: victim.expected };
      assert.equal(checkHistory([...history, planted]).linearizable, false);
    }),
    { numRuns: 300 },
  );
});

/** Tries every order and every choice of unknown writes: slow and obvious. */
function bruteForce(ops: readonly Op[], state: State): boolean {
  const isUnknown = (op: Op) => op.type !== 'read' && op.outcome === 'unknown';
  if (ops.every(isUnknown)) return true;
  return ops.some((op) => {
    const others = ops.filter((each) => each !== op);
    if (others.some((each) => !isUnknown(each) && each.responded < op.invoked)) return false;
    const next = step(op, state);
    return typeof next !== 'symbol' && bruteForce(others, next);
  });
}

test('the verdict on small histories, possible and impossible, is that of trying everything', () => {
  const value = fc.constantFrom('a', 'b');
  const time = fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 8 })).map(([from, length]): At => [from, from + length]);
  const op = fc.oneof(
    fc.tuple(fc.option(value, { nil: undefined }), time).map((given) => read(...given)),
    fc
      .tuple(value, time, fc.constantFrom('ok' as const, 'exists' as const, 'unknown' as const))
      .map((given) => create(...given)),
    fc
      .tuple(
        value,
        value,
        time,
        fc.constantFrom('ok' as const, 'conflict' as const, 'absent' as const, 'unknown' as const),
      )
      .map((given) => update(...given)),
    fc
      .tuple(value, time, fc.constantFrom('ok' as const, 'conflict' as const, 'absent' as const, 'unknown' as const))
      .map((given) => remove(...given)),
  );
  const verdicts = new Set<boolean>();
  fc.assert(
    fc.property(fc.array(op, { maxLength: 6 }), (history) => {
      const { linearizable } = checkHistory(history);
      verdicts.add(linearizable);
      assert.equal(linearizable, bruteForce(history, undefined));
    }),
    { numRuns: 3000 },
  );
  assert.equal(verdicts.size, 2);
});
