import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { FakeClient } from '../../client/fake-client.ts';
import { buildServers, traitsOf } from './chain.ts';
import { corefileAsker } from '../corefile-asker.ts';
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive } from '../corefile/directive.ts';
import { parseCorefile } from '../corefile/parse.ts';
import { fakeRuntime } from '../fake-runtime.ts';
import { planListeners } from '../sockets/listeners.ts';
import { nameOf } from '../wire/domain-name.ts';
import { encodeMessage } from '../wire/message-codec.ts';
import { plugins, rankOf, servedPlugins } from '../plugins/index.ts';

const build = (text: string) =>
  buildServers(parseCorefile(text, { file: 'Corefile' }), fakeRuntime({ client: new FakeClient([]) }));

test('plugins stand in the order of CoreDNS, whatever the order in the file', () => {
  const [server] = build('. {\nwhoami\nkubernetes cluster.local\ncache\nerrors\nprometheus\nloadbalance\nlog\n}');
  assert.deepEqual(
    server?.plugins.map(({ name }) => name),
    ['prometheus', 'errors', 'log', 'loadbalance', 'cache', 'kubernetes', 'whoami'],
  );
});

test('a block has a server for each of its ports', () => {
  const servers = build('a.test b.test:1053 c.test {\nerrors\n}');
  assert.deepEqual(
    servers.map(({ block, port }) => [block.server, block.zones, port]),
    [
      ['dns://:53', ['a.test.', 'c.test.'], 53],
      ['dns://:1053', ['b.test.'], 1053],
    ],
  );
});

test('with bind its first address is in the name of the server', () => {
  assert.deepEqual(
    build('. {\nbind ::1 127.0.0.1\n}').map(({ block, addresses }) => [block.server, addresses]),
    [['dns://[::1]:53', ['::1', '127.0.0.1']]],
  );
});

/** Answers of the cluster are kept in front of the chain only where nothing before them depends on who asks, or when. */
for (const [directive, keeps] of [
  ['errors', true],
  ['prometheus', true],
  ['cache', true],
  ['loadbalance', true],
  ['loadbalance round_robin {\nprefer 10.0.0.0/8\n}', false],
  ['log', false],
  ['log {\nclass error\n}', true],
  ['log {\nclass error denial\n}', false],
  ['rewrite name a.test b.test', true],
  ['rewrite ttl a.test 5', true],
  ['rewrite edns0 local set 0xffee {client_ip}', false],
  ['rewrite cname exact a.test. b.test.', false],
  ['hosts {\n10.0.0.1 a.test\nfallthrough\n}', true],
  ['template IN A a.test {\nrcode NXDOMAIN\n}', true],
  ['acl {\nblock net 10.0.0.0/8\n}', false],
  ['dns64', false],
  ['any', true],
  ['minimal yes', true],
  ['header {\nset ra\n}', true],
  ['local', true],
  ['cancel', true],
  ['nsid', true],
  ['forward . 192.0.2.1', true],
] as const) {
  test(`answers of the cluster are ${keeps ? '' : 'not '}kept with ${directive.replaceAll(/\s+/g, ' ')}`, () => {
    const [server] = build(`. {\n${directive}\nkubernetes cluster.local\n}`);
    assert.equal(server?.keeps('kubernetes'), keeps);
  });
}

test('recursion is available as soon as a followed file names a server, and no longer than it does', () => {
  let recurses = false;
  const traits = traitsOf([
    {
      name: 'forward',
      instance: {
        get recurses() {
          return recurses;
        },
      },
    },
  ]);
  const seen = [traits.recurses];
  for (recurses of [true, false]) seen.push(traits.recurses);
  assert.deepEqual(seen, [false, true, false]);
});

test('aliases that lead in a circle end', async () => {
  const { ask } = await corefileAsker('. {\ntemplate IN A {\nanswer "{{ .Name }} 5 IN CNAME x{{ .Name }}"\n}\n}');
  const lines = (await ask('a.test')).split('\n');
  assert.ok(lines.length > 5 && lines.length < 15, lines.join('\n'));
});

/** Words that mean something to some plugin, and some that mean nothing to any. */
const word = fc.oneof(
  fc.constantFrom(
    ...[
      '.',
      'cluster.local',
      '10.0.0.0/24',
      'fd00::/64',
      '/etc/resolv.conf',
      '192.0.2.1',
      '::1',
      '5s',
      '0s',
      '-1s',
      '30',
      '0',
      '-1',
      'A',
      'ANY',
      'IN',
    ],
    ...[
      'success',
      'denial',
      'name',
      'regex',
      'suffix',
      'exact',
      '(.*)',
      '(',
      '{1}',
      'answer',
      'auto',
      'set',
      'local',
      'subnet',
      'ttl',
      'class',
      'type',
    ],
    ...[
      'net',
      '*',
      'yes',
      'weighted',
      '@kubernetes',
      'tls://1.1.1.1',
      'insecure',
      '{common}',
      '{{ .Name }} A 192.0.2.1',
      '{{',
      'NXDOMAIN',
      ':8080',
      'stop',
      '',
    ],
  ),
  fc.string({ maxLength: 8 }),
);
const OPTIONS = [
  ...[
    'fallthrough',
    'ttl',
    'pods',
    'except',
    'policy',
    'max_concurrent',
    'success',
    'disable',
    'serve_stale',
    'prefetch',
    'match',
    'answer',
    'rcode',
  ],
  ...[
    'lameduck',
    'class',
    'minDuration',
    'consolidate',
    'allow',
    'block',
    'set',
    'prefix',
    'reload',
    'prefer',
    'name',
    '10.0.0.1',
    'endpoint',
    'nonsense',
  ],
];
const place = fc.record({ file: fc.constant('Corefile'), line: fc.integer({ min: 1, max: 99 }) });
const option: fc.Arbitrary<Directive> = fc.record({
  name: fc.constantFrom(...OPTIONS),
  args: fc.array(word, { maxLength: 4 }),
  place,
});
const directive: fc.Arbitrary<Directive> = fc.record(
  {
    name: fc.constantFrom(...servedPlugins.map(({ name }) => name), 'nonsense'),
    args: fc.array(word, { maxLength: 5 }),
    body: fc.array(option, { maxLength: 3 }),
    place,
  },
  { requiredKeys: ['name', 'args', 'place'] },
);
const block = fc.record({
  keys: fc.array(word, { maxLength: 2 }),
  directives: fc.array(directive, { maxLength: 4 }),
  place,
});

test('whatever directives say, they are set up or refused with their place', () => {
  const runtime = fakeRuntime({ client: new FakeClient([]) });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 2 }), (blocks) => {
      try {
        planListeners(buildServers(blocks, runtime), ['127.0.0.1']);
      } catch (error) {
        if (!(error instanceof CorefileError)) throw error;
        assert.match(error.message, /^[^\n]+:\d+: ./);
      }
    }),
    { numRuns: 3000 },
  );
});

test('every plugin has one place in the order', () => {
  assert.equal(new Set(plugins).size, plugins.length);
  for (const { name } of servedPlugins) assert.equal(plugins[rankOf(name)], name);
});

/** One of each plugin that looks at names. */
const ALL = `. {
  local
  any
  acl {
    block net 192.0.2.0/24
  }
  dns64 {
    allow_ipv4
  }
  loadbalance
  rewrite continue name prefix q ${'q'.repeat(62)}
  rewrite name suffix .a.test .b.test answer auto answer name (.*) {1}{1}
  rewrite name regex ^(.*)-x\\.(.*)$ {1}.{2}
  rewrite continue ttl regex .* 5-30
  rewrite name substring ab ba answer auto
  minimal yes
  hosts /nonexistent {
    10.0.0.1 host.test *.wild.test
    fallthrough
  }
  template IN A b.test {
    match ^(?P<first>[^.]+)
    answer "{{ .Name }} 60 IN A 192.0.2.1"
    answer "{{ .Group.first }}.b.test 60 IN CNAME host.test"
    fallthrough
  }
  chaos
  log test "{name} {type} {rsize} {>rflags} {/none}"
  errors
  metadata
  whoami
}`;
const label = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'test',
    'host',
    'wild',
    '*',
    'localhost',
    'in-addr',
    'arpa',
    '127',
    '0',
    '1',
    'ab',
    'q-x',
    'qqq',
  ),
  fc.uint8Array({ minLength: 1, maxLength: 63 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const name = fc
  .array(label, { maxLength: 5 })
  .map((labels) => nameOf(labels.filter((_, at) => labels.slice(0, at + 1).join('.').length < 250)));

test('whatever is asked of a chain of all of them, there is an answer that can be sent, and it ends', async () => {
  const { answer, stop } = await corefileAsker(ALL);
  const type = fc.oneof(fc.constantFrom(1, 2, 5, 6, 12, 16, 28, 33, 43, 255), fc.integer({ min: 0, max: 0xffff }));
  await fc.assert(
    fc.asyncProperty(
      name,
      type,
      fc.constantFrom('10.0.0.1', '192.0.2.7', '2001:db8::1'),
      async (asked, code, address) => {
        const question = { name: asked, type: code, class: 1 };
        const found = await answer('x.test', { questions: [question] }, { address });
        assert.ok(found);
        assert.deepEqual(found.message.questions, [question]);
        encodeMessage(found.message, 512);
      },
    ),
    { numRuns: 1000 },
  );
  await stop();
});
