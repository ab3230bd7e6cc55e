import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CorefileError } from './corefile-error.ts';
import { corefileText } from './corefile-text.ts';
import type { ImportSource } from './import-source.ts';
import { parseCorefile } from './parse.ts';

const files: Readonly<Record<string, string>> = {
  '/etc/coredns/custom/a.override': 'log',
  '/etc/coredns/custom/b.override': 'hosts {\n  10.0.0.1 a.test\n}',
  '/etc/coredns/custom/one.server': 'one.test {\n  whoami\n}',
  '/etc/coredns/with-args': 'forward . {args[0]} {args[1]}',
  '/etc/coredns/itself': 'import itself',
  '/etc/coredns/bad': 'errors\nwhoami }',
};
const imports: ImportSource = {
  read: (file) => files[file],
  glob: (pattern) => {
    const [start = '', end = ''] = pattern.split('*');
    return Object.keys(files).filter((file) => file.startsWith(start) && file.endsWith(end));
  },
  resolve: (importing, pattern) => (pattern.startsWith('/') ? pattern : `${importing.replace(/[^/]*$/, '')}${pattern}`),
};
const environment = (name: string) => ({ PORT: '1053', TWO: 'a b' })[name];
const parse = (text: string) => parseCorefile(text, { file: '/etc/coredns/Corefile', environment, imports });

for (const [why, written, expected] of [
  [
    'blocks, arguments and options',
    `. {\n errors\n health :8080 {\n lameduck 5s\n }\n}`,
    '. {\n    errors\n    health :8080 {\n        lameduck 5s\n    }\n}\n',
  ],
  [
    'several keys, with commas and over lines',
    'a.test, b.test,\nc.test:{$PORT} {\n}',
    'a.test b.test c.test:1053 {\n}\n',
  ],
  ['a comment wherever it begins', '# first\n. { # opens\n errors # all\n log#too\n}', '. {\n    errors\n    log\n}\n'],
  [
    'a quoted text is one word, whatever is in it',
    '. {\n log . "{remote} # \\"q\\" \\d {"\n}',
    '. {\n    log . "{remote} # \\"q\\" \\d {"\n}\n',
  ],
  ['a quoted text over lines', '. {\n log "a\n b" c\n errors\n}', '. {\n    log "a\n b" c\n    errors\n}\n'],
  [
    'variables of both spellings, never two words of one',
    '.:{$PORT} {\n a {%PORT%} x{$NONE}y {$TWO}\n}',
    '.:1053 {\n    a 1053 xy "a b"\n}\n',
  ],
  [
    'a file of one block without braces',
    '.:{$PORT}\nerrors\nhealth {\n lameduck 5s\n}\n',
    '.:1053 {\n    errors\n    health {\n        lameduck 5s\n    }\n}\n',
  ],
  ['carriage returns', '. {\r\n errors\r\n}\r\n', '. {\n    errors\n}\n'],
  ['an empty block', '. { }', '. {\n}\n'],
  ['nothing but comments', '# nothing\n', ''],
  [
    'a snippet with arguments',
    '(up) {\n forward . {args[0]} {args.1} x{args[2]}\n}\n. {\n import up 1.1.1.1 8.8.8.8\n errors\n}',
    '. {\n    forward . 1.1.1.1 8.8.8.8 x\n    errors\n}\n',
  ],
  [
    'a snippet in a snippet',
    '(a) {\n log\n}\n(b) {\n import a\n errors\n}\n. {\n import b\n}',
    '. {\n    log\n    errors\n}\n',
  ],
  [
    'a snippet of options',
    '(o) {\n pods insecure\n ttl 30\n}\n. {\n kubernetes {\n import o\n }\n}',
    '. {\n    kubernetes {\n        pods insecure\n        ttl 30\n    }\n}\n',
  ],
  [
    'files by pattern, sorted; none is no error',
    '. {\n import custom/*.override\n import custom/*.nothing\n}\nimport custom/*.server',
    '. {\n    log\n    hosts {\n        10.0.0.1 a.test\n    }\n}\none.test {\n    whoami\n}\n',
  ],
  ['a file with arguments', '. {\n import with-args 1.1.1.1 9.9.9.9\n}', '. {\n    forward . 1.1.1.1 9.9.9.9\n}\n'],
  ['import as an argument imports nothing', '. {\n hosts import\n}', '. {\n    hosts "import"\n}\n'],
] as const) {
  test(`reads ${why}`, () => {
    const text = corefileText(parse(written));
    assert.equal(text, expected);
    assert.equal(corefileText(parse(text)), text, 'and writes what it reads');
  });
}

for (const [written, expected] of [
  ['. {\n errors', '/etc/coredns/Corefile:1: a "{" is opened here and never closed'],
  ['. {\n log {\n }}\n', '/etc/coredns/Corefile:3: expected each "}" on a line of its own, found "}}"'],
  ['. {\n errors\n}\n}', '/etc/coredns/Corefile:4: this "}" closes nothing'],
  ['. {\n health { lameduck 5s }\n}', '/etc/coredns/Corefile:2: expected a new line behind "{", found "lameduck"'],
  ['. {\n health {\n lameduck 5s }\n}', '/etc/coredns/Corefile:3: expected "}" on a line of its own'],
  ['.{\n errors\n}', '/etc/coredns/Corefile:1: put a space between "." and "{"'],
  ['. {\n health{\n lameduck 5s\n }\n}', '/etc/coredns/Corefile:2: put a space between "health" and "{"'],
  ['{\n errors\n}', '/etc/coredns/Corefile:1: a server block needs a zone before its "{": ". {" for all names'],
  ['. {\n}\nb.test\nerrors', '/etc/coredns/Corefile:3: "b.test" has no block: expected "{" behind it'],
  ['. {\n log "a\n}', '/etc/coredns/Corefile:2: a quote is opened here and never closed'],
  ['. {\n {\n }\n}', '/etc/coredns/Corefile:2: expected the name of a plugin or an option before "{"'],
  ['. {\n}  b.test {\n}', '/etc/coredns/Corefile:2: expected a new line behind "}", found "b.test"'],
  ['. {\n import\n}', '/etc/coredns/Corefile:2: expected a file, a pattern or a snippet behind import'],
  ['. {\n import gone\n}', '/etc/coredns/Corefile:2: there is no snippet gone above and no file /etc/coredns/gone'],
  ['. {\n import a/*/b*\n}', '/etc/coredns/Corefile:2: expected at most one wildcard in a/*/b*'],
  ['. {\n import itself\n}', '/etc/coredns/itself:1: imports are nested too deep: does itself import itself?'],
  ['. {\n import bad\n}', '/etc/coredns/bad:2: expected "}" on a line of its own'],
  ['(a) {\n}\n(a) {\n}', '/etc/coredns/Corefile:3: there is a snippet a already'],
  ['(a)\n. {\n}', '/etc/coredns/Corefile:1: expected "{" behind the snippet (a)'],
  ['(a) {\n log\n', '/etc/coredns/Corefile:1: a "{" is opened here and never closed'],
] as const) {
  test(`refuses ${JSON.stringify(written)}`, () => {
    assert.throws(() => parse(written), { name: 'CorefileError', message: expected });
  });
}

test('many imports of many imports end', () => {
  const levels = Array.from(
    { length: 19 },
    (_, at) => `(s${String(at + 1)}) {\nimport s${String(at)}\nimport s${String(at)}\n}`,
  );
  const text = `(s0) {\nlog\n}\n${levels.join('\n')}\n. {\nimport s19\n}`;
  assert.throws(() => parse(text), { name: 'CorefileError', message: /too long/ });
});

test('whatever the text, there is a tree or a CorefileError, and the tree is written as what it was read from', () => {
  const piece = fc.constantFrom(
    ...[
      '. ',
      'a.test ',
      '{',
      '}',
      '\n',
      '\n',
      ' ',
      '"',
      '\\',
      '#',
      '(s) ',
      'import s',
      'import *',
      ',',
      '{$PORT}',
      '{args[0]}',
      'errors',
    ],
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 60 }).map((each) => each.join('')),
    fc.string({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(text, (written) => {
      try {
        const once = corefileText(parse(written));
        assert.equal(corefileText(parse(once)), once);
      } catch (error) {
        if (!(error instanceof CorefileError)) throw error;
        assert.ok(error.place.line >= 1 && error.message.startsWith(error.place.file));
      }
    }),
    { numRuns: 2000 },
  );
});
