import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { queryFor, replyTo, RCODE } from '../../wire/message.ts';
import { recordText } from '../../wire/record-text.ts';
import { recordsOf } from './fake-upstream.ts';
import { mixCase, withPlainCase } from './letter-case.ts';

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

const MIXED = 'wWw.eXaMple.TEst.';
const PLAIN = 'WWW.example.test.';
const SOA = '1 2 3 4 5';

for (const [came, plain] of [
  [`${MIXED} 60 CNAME other.eXaMple.TEst.`, `${PLAIN} 60 IN CNAME other.example.test.`],
  ['www.test. 60 CNAME xeXaMple.TEst.', 'www.test. 60 IN CNAME xeXaMple.test.'],
  ['a.b.TEst. 60 NS ns.TEst.', 'a.b.test. 60 IN NS ns.test.'],
  ['TEst. 60 NS ns.Other.', 'test. 60 IN NS ns.Other.'],
  ['Own.Case. 60 PTR Own.Case.', 'Own.Case. 60 IN PTR Own.Case.'],
  ['_x._tcp.TEst. 60 SRV 0 0 1 a.TEst.', '_x._tcp.test. 60 IN SRV 0 0 1 a.test.'],
  [`TEst. 60 SOA ns.eXaMple.TEst. x.TEst. ${SOA}`, `test. 60 IN SOA ns.example.test. x.test. ${SOA}`],
  ['. 60 NS a.root.', '. 60 IN NS a.root.'],
] as const) {
  test(`${came}: is told without our letters`, () => {
    const mixed = { name: MIXED, type: 1, class: 1 };
    const reply = { ...replyTo(queryFor(1, mixed), RCODE.NOERROR), answers: recordsOf(came) };
    const told = withPlainCase(reply, MIXED, PLAIN);
    assert.deepEqual([told.questions[0]?.name, told.answers.map(recordText)], [PLAIN, [plain]]);
  });
}

test('names stay the same names, whatever the letters', () => {
  const name = fc.stringMatching(/^([abAB]{1,2}\.){1,4}$/);
  fc.assert(
    fc.property(name, name, fc.uint8Array({ minLength: 8, maxLength: 8 }), (plain, other, bits) => {
      const mixed = mixCase(plain, bits);
      const question = { name: mixed, type: 1, class: 1 };
      const reply = {
        ...replyTo(queryFor(1, question), RCODE.NOERROR),
        answers: recordsOf(`${other} 60 CNAME ${mixed}`),
      };
      const [record] = withPlainCase(reply, mixed, plain).answers;
      assert.ok(record?.type === 5);
      assert.deepEqual([record.name.toLowerCase(), record.target], [other.toLowerCase(), plain]);
    }),
  );
});
