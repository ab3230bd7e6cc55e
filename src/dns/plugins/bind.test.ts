import assert from 'node:assert/strict';
import test from 'node:test';
import { parseCorefile } from '../corefile/parse.ts';
import { boundAddresses } from './bind.ts';

const interfaces = { lo: ['127.0.0.1', '::1'], eth0: ['10.0.0.5', 'fd00::5'] };
const bound = (text: string) => {
  const [block] = parseCorefile(`. {\n${text}\n}`, { file: 'Corefile' });
  return boundAddresses(block?.directives ?? [], interfaces);
};

for (const [text, expected] of [
  ['bind 127.0.0.1', ['127.0.0.1']],
  ['bind 10.0.0.9 FD00:0::1', ['10.0.0.9', 'fd00::1']],
  ['bind lo', ['127.0.0.1', '::1']],
  ['bind lo eth0 {\n except ::1 10.0.0.5\n}', ['127.0.0.1', 'fd00::5']],
  ['bind eth0 lo {\n except lo\n}', ['10.0.0.5', 'fd00::5']],
  ['bind 127.0.0.1\nbind 127.0.0.1 127.0.0.2', ['127.0.0.1', '127.0.0.2']],
] as const) {
  test(`${text.replaceAll(/\s+/g, ' ')} listens at ${expected.join(' and ')}`, () => {
    assert.deepEqual(bound(text), expected);
  });
}

for (const [text, expected] of [
  ['bind', 'Corefile:2: bind: expected addresses or names of interfaces'],
  ['bind eth9', 'Corefile:2: bind: eth9 is neither an address nor an interface of this machine'],
  ['bind lo {\n without ::1\n}', 'Corefile:3: bind: unknown option "without", there are except'],
  ['bind lo {\n except lo\n}', 'Corefile:2: bind: no address is left to listen at'],
] as const) {
  test(`refuses ${text.replaceAll(/\s+/g, ' ')}`, () => {
    assert.throws(() => bound(text), { name: 'CorefileError', message: expected });
  });
}
