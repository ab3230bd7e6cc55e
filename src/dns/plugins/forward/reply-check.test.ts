import assert from 'node:assert/strict';
import test from 'node:test';
import { queryFor, RCODE, replyTo, type Message } from '../../wire/message.ts';
import { recordOf } from './fake-upstream.ts';
import { checkReply } from './reply-check.ts';

const question = { name: 'wWw.eXample.', type: 1, class: 1 };
const edns = { size: 1232, version: 0, dnssecOk: false };
const query = queryFor(7, question, edns);
const good = replyTo(query, RCODE.NOERROR);

for (const [why, reply, verdict] of [
  ['the answer', good, 'fits'],
  ['a denial', { ...good, rcode: RCODE.NXDOMAIN }, 'fits'],
  ['the answer in other letters', { ...good, questions: [{ ...question, name: 'www.example.' }] }, 'other case'],
  ['another id', { ...good, id: 8 }, 'stranger'],
  ['a question', { ...good, isResponse: false }, 'stranger'],
  ['another kind of message', { ...good, opcode: 5 }, 'stranger'],
  ['an answer about another name', { ...good, questions: [{ ...question, name: 'bank.example.' }] }, 'stranger'],
  ['about another type', { ...good, questions: [{ ...question, type: 28 }] }, 'stranger'],
  ['about another class', { ...good, questions: [{ ...question, class: 3 }] }, 'stranger'],
  ['about nothing', { ...good, questions: [] }, 'stranger'],
  ['about two things', { ...good, questions: [question, question] }, 'stranger'],
  ['about nothing, for it does not know EDNS', { ...good, questions: [], rcode: RCODE.FORMERR }, 'no edns'],
  ['a refusal of EDNS', { ...good, rcode: RCODE.NOTIMP }, 'no edns'],
  [
    'about nothing, with an answer in it',
    { ...good, questions: [], rcode: RCODE.FORMERR, answers: [recordOf('www.example. 1 A 192.0.2.1')] },
    'stranger',
  ],
] as const satisfies readonly (readonly [string, Message, string])[]) {
  test(`${why}: ${verdict}`, () => {
    assert.equal(checkReply(query, reply), verdict);
  });
}

test('without EDNS in the question a FORMERR is an answer', () => {
  const plain = queryFor(7, question);
  assert.equal(checkReply(plain, replyTo(plain, RCODE.FORMERR)), 'fits');
  assert.equal(checkReply(plain, { ...replyTo(plain, RCODE.FORMERR), questions: [] }), 'stranger');
});
