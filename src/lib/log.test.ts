import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOf } from './log.ts';

const refused = new Error('connect ECONNREFUSED 10.0.0.1:6443');
const LOGGED: [about: string, error: unknown, message: unknown][] = [
  ['an error is told by its message', refused, refused.message],
  [
    'a cause that the message quotes is told once',
    new Error(`GET /: ${refused.message}`, { cause: refused }),
    `GET /: ${refused.message}`,
  ],
  [
    'a cause that the message keeps to itself is told after it',
    new Error('GET /', { cause: refused }),
    `GET /: ${refused.message}`,
  ],
];
for (const [about, error, message] of LOGGED) {
  test(about, () => {
    assert.equal((errorOf(error) as Error).message, message);
  });
}

test('what is no error is logged as it is', () => {
  assert.equal(errorOf('gone'), 'gone');
});
