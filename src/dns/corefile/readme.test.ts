/** The README: its examples work as it says, and its table has the plugins that there are, in their order. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { corefileAsker } from '../corefile-asker.ts';
import { findPlugin, plugins, servedPlugins } from '../plugins/index.ts';
import { corefileText } from './corefile-text.ts';
import { parseCorefile } from './parse.ts';

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^```corefile\n([^]*?)^```$/gm)].map(([, text = '']) => text);

test('there are examples', () => {
  assert.ok(examples.length >= 5);
});

for (const example of examples) {
  const [title = ''] = example.split('\n');
  test(`the example "${title.replace('# ', '')}"`, async () => {
    const resolvConf = join(import.meta.dirname, 'testdata', 'resolv.conf');
    const asker = await corefileAsker(example, { resolvConf, ownAddresses: ['127.0.0.1'] });
    try {
      for (const [, question = '', expected] of example.matchAll(/^# \? (.+)\n# = (.+)$/gm)) {
        const [code, , ...records] = (await asker.ask(question)).split('\n');
        const answers = records.filter((record) => !/^[;+]/.test(record));
        assert.equal([code?.split(' ')[0], ...answers].join(' '), expected, question);
      }
    } finally {
      await asker.stop();
    }
  });
}

test('the example in TypeScript says what is true', () => {
  const blocks = parseCorefile('example.org:1053 { # one\n  forward . 192.0.2.1\n}', { file: 'Corefile' });
  const place = { file: 'Corefile', line: 2 };
  assert.deepEqual(blocks[0]?.directives[0], { name: 'forward', args: ['.', '192.0.2.1'], place });
  assert.equal(corefileText(blocks), 'example.org:1053 {\n    forward . 192.0.2.1\n}\n');
});

test('the table has the plugins that are served, in their order', () => {
  const rows = [...readme.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(
    rows,
    servedPlugins.map(({ name }) => name),
  );
});

test('what is known and not served is named, and nothing else', () => {
  const [, known = ''] = /^Known and not served: ([^]*?)\n\n/m.exec(readme) ?? [];
  const named = [...known.matchAll(/`([a-z0-9_]+)`/g)].map(([, name = '']) => name);
  assert.deepEqual(
    named.filter((name) => typeof findPlugin(name) !== 'string'),
    [],
  );
  const refused = plugins.filter((name) => typeof findPlugin(name) === 'string');
  assert.deepEqual([...named].sort(), [...refused].sort());
});
