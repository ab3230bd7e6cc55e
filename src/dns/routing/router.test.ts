import assert from 'node:assert/strict';
import test from 'node:test';
import { buildServers } from './chain.ts';
import { parseCorefile } from '../corefile/parse.ts';
import { fakeRuntime } from '../fake-runtime.ts';
import { Router } from './router.ts';
import { parseType } from '../wire/record-text.ts';

const servers = buildServers(
  parseCorefile('. {\n}\nexample.org a.example.org {\n}\nb\\.c.test {\n}\n', { file: 'Corefile' }),
  fakeRuntime(),
);

for (const [name, type, expected] of [
  ['example.org.', 'A', 'example.org.'],
  ['EXAMPLE.org.', 'A', 'example.org.'],
  ['x.y.a.Example.org.', 'A', 'a.example.org.'],
  ['xa.example.org.', 'A', 'example.org.'],
  ['org.', 'A', '.'],
  ['.', 'NS', '.'],
  ['b\\.c.test.', 'A', 'b\\.c.test.'],
  ['x.b\\.c.test.', 'A', 'b\\.c.test.'],
  ['b.c.test.', 'A', '.'],
  ['a.example.org.', 'DS', 'example.org.'],
  ['x.a.example.org.', 'DS', 'a.example.org.'],
  ['example.org.', 'DS', '.'],
  ['.', 'DS', '.'],
] as const) {
  test(`${type} of ${name} goes to ${expected}`, () => {
    assert.equal(new Router(servers).find(name, parseType(type))?.zone, expected);
  });
}

test('a name in no zone goes to nobody', () => {
  assert.equal(new Router(servers.slice(1)).find('example.net.'), undefined);
  assert.equal(new Router([]).find('.'), undefined);
});
