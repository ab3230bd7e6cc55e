/** Every row of section 4.3 of the features: as `testdata/companions.zone` has it, asked of a whole server, or by a test named here. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import type { KubeObject } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { askTcp, askUdp, knowing } from './asking.ts';
import { readCompanions, type Section, type Step } from './companions.ts';
import { defaultCorefile } from './corefile/default-corefile.ts';
import { parseCorefile } from './corefile/parse.ts';
import type { Directive } from './corefile/directive.ts';
import { fakeUpstream, recordsOf, type FakeUpstream } from './plugins/forward/fake-upstream.ts';
import { inOrder, onLines, readCluster, spelled } from './plugins/kubernetes/specification.ts';
import { runDns, type RunningDns } from './run.ts';
import { RCODE, replyTo, type Message } from './wire/message.ts';
import { recordText } from './wire/record-text.ts';

/** Rows, or parts of them, that are no question and answer: file and title of the tests that prove them. */
const ELSEWHERE: readonly (readonly [row: string, file: string, title: string])[] = [
  ['4-048', '../controllers/cluster-dns.test.ts', 'what is right is not written, what is wrong is put right'],
  ['4-049', 'plugins/cache/cache.test.ts', 'a failure that an upstream tells is kept for 5 s'],
  ['4-049', 'plugins/cache/cache.test.ts', 'it holds as many as it may'],
  ['4-050', 'plugins/cache/cache.test.ts', 'what is popular is fetched anew before it is over, once, and nobody waits'],
  ['4-050', 'plugins/cache/cache.test.ts', 'with verify a stale answer is told only when nothing better came'],
  ['4-051', 'plugins/forward/policy.test.ts', 'random gives every order, each about as often'],
  [
    '4-051',
    'plugins/forward/health.test.ts',
    'after a failure it is asked each 0.5 s until it answers, is down after two',
  ],
  ['4-051', 'plugins/forward/failover.test.ts', 'with all down one is tried all the same, or none where one likes'],
  ['4-051', 'plugins/forward/forward.test.ts', 'max_concurrent refuses what is too much'],
  ['4-053', 'plugins/autopath/autopath.test.ts', 'a later element is answered behind an alias'],
  ['4-053', 'plugins/autopath/autopath.test.ts', 'the first element is answered as it is'],
  ['4-054', 'plugins/loadbalance/loadbalance.test.ts', 'aliases come first, addresses and exchangers in an order'],
  ['4-055', 'plugins/loop/loop.test.ts', 'the probe is HINFO of two random numbers in the zone of the block'],
  ['4-055', 'plugins/loop/real-loop.test.ts', 'servers that forward to each other find out'],
  ['4-056', 'standalone.test.ts', 'with reload in it the Corefile is looked at now and then'],
  ['4-057', 'run.test.ts', 'before the first sync ready says who is waited for'],
  ['4-057', 'run.test.ts', 'lameduck answers on until its time is over'],
  ['4-058', 'routing/respond.test.ts', 'EDNS is answered with EDNS'],
  ['4-058', 'routing/respond.test.ts', '40 addresses over ${transport}'],
  ['4-058', 'dns.kernel.test.ts', 'an answer too large for UDP is cut off, and dig gets it whole over TCP'],
  ['4-058', 'amplification.test.ts', 'with bufsize in the Corefile nobody is sent more than that'],
  ['4-062', 'run.test.ts', 'health, ready and prometheus answer'],
  ['4-062', 'plugins/kubernetes/plugin.test.ts', '4-062 how long a change of a headless Service took'],
];

const ROWS = Array.from({ length: 17 }, (_, at) => `4-0${String(46 + at)}`);
const sections = readCompanions();

test('every row of section 4.3 is asked about or proved elsewhere', () => {
  const asked = new Set(sections.flatMap(({ steps }) => steps.flatMap((step) => ('row' in step ? step.row.ids : []))));
  const named = new Set(ELSEWHERE.map(([row]) => row));
  assert.deepEqual(
    ROWS.filter((row) => !asked.has(row) && !named.has(row)),
    [],
  );
  assert.deepEqual(
    [...asked, ...named].filter((row) => !ROWS.includes(row)),
    [],
  );
});

for (const [row, file, title] of ELSEWHERE) {
  test(`${row} is proved by ${file}: ${title}`, () => {
    const lines = readFileSync(join(import.meta.dirname, file), 'utf8').split('\n');
    assert.ok(
      lines.some((line) => line.includes(title) && !line.trimStart().startsWith('//')),
      `no test of that title in ${file}`,
    );
  });
}

/** The addon's, as the row has it. */
const ADDON =
  '.:53 { errors; health { lameduck 5s }; ready; kubernetes cluster.local in-addr.arpa ip6.arpa { pods insecure; fallthrough in-addr.arpa ip6.arpa; ttl 30 }; prometheus :9153; forward . /etc/resolv.conf { max_concurrent 1000 }; cache 30; loop; reload; loadbalance }';
const STANZA = '. { cache 30 { disable success cluster.local; disable denial cluster.local } }';

test('4-046, 4-047 the default Corefile is the addon’s, with the stanza of kubeadm for its cache', () => {
  const read = (text: string) =>
    parseCorefile(text, { file: 'Corefile' }).map(({ keys, directives }) => ({ keys, words: words(directives) }));
  const [addon, stanza, own] = [ADDON, STANZA].map(onLines).concat(defaultCorefile()).map(read);
  const [cache] = stanza?.[0]?.words ?? [];
  assert.ok(addon?.[0] && cache !== undefined);
  const [block] = addon;
  assert.deepEqual(own, [{ keys: block.keys, words: block.words.map((word) => (word === 'cache 30' ? cache : word)) }]);
});

const words = (directives: readonly Directive[]): string[] =>
  directives.map(({ name, args, body }) =>
    [name, ...args, ...(body ? ['{', words(body).join('; '), '}'] : [])].join(' '),
  );

const KNOWN = {
  upstream: recordsOf(`www.example.com. 60 A 192.0.2.1
long.example.com. 9999 A 192.0.2.3
short.example.com. 1 A 192.0.2.4
x.cluster.local. 60 A 192.0.2.5`),
  elsewhere: recordsOf('www.example.com. 60 A 198.51.100.1'),
};

describe('answered by the whole server', () => {
  const client = new FakeClient(readCluster().filter(({ kind }: KubeObject) => kind !== 'ServiceImport'));
  let upstream: FakeUpstream;
  let elsewhere: FakeUpstream;

  before(async () => {
    upstream = await fakeUpstream(({ query }) => knowing(KNOWN.upstream, query));
    elsewhere = await fakeUpstream(({ query }) => knowing(KNOWN.elsewhere, query));
  });

  after(async () => {
    await upstream.close();
    await elsewhere.close();
  });

  /** HTTP ports are any that are free, and the node's servers are ours. */
  const textOf = ({ corefile }: Section): string => {
    if (corefile !== 'default')
      return corefile.replaceAll('UPSTREAM', upstream.to).replaceAll('ELSEWHERE', elsewhere.to);
    return defaultCorefile()
      .replace('/etc/resolv.conf', upstream.to)
      .replace('health {', 'health 127.0.0.1:0 {')
      .replace('ready\n', 'ready 127.0.0.2:0\n')
      .replace(':9153', '127.0.0.3:0');
  };

  const act = async (step: Step, on: { dns: RunningDns; port: number; clock: FakeClock; began: number }) => {
    if ('laterMs' in step) on.clock.advance(step.laterMs);
    else if ('isFailing' in step) {
      upstream.answer = ({ query }) =>
        step.isFailing ? replyTo(query, RCODE.SERVFAIL) : knowing(KNOWN.upstream, query);
    } else if ('over' in step) {
      const over = new Set(upstream.questions.slice(on.began).map((asked) => asked.over));
      assert.deepEqual([...over], [step.over]);
    } else {
      for (const ask of [askUdp, askTcp]) {
        const [answer] = await ask(on.port, [step.row.question]);
        check(step, answer);
      }
    }
  };

  for (const section of sections) {
    test(section.corefile.replaceAll('\n', ' '), async () => {
      upstream.answer = ({ query }) => knowing(KNOWN.upstream, query);
      const clock = new FakeClock(1_000_000);
      const corefile = { file: 'Corefile', text: textOf(section) };
      const dns = runDns({ client, clock, corefile, listen: { addresses: ['127.0.0.1'], port: 0 }, log: silentLog });
      try {
        await dns.ready;
        const port = (await dns.listening).get(53) ?? 0;
        const began = upstream.questions.length;
        for (const step of section.steps) await act(step, { dns, port, clock, began });
      } finally {
        await dns.stop({ atOnce: true });
      }
    });
  }
});

function check({ row, authorities }: Extract<Step, { row: object }>, message: Message | undefined): void {
  const where = `companions.zone:${String(row.line)} ${row.question.name}`;
  assert.ok(message, where);
  const { code, answers } = spelled(message);
  assert.deepEqual({ code, answers }, { code: row.code, answers: inOrder(row.answers) }, where);
  if (authorities.length > 0) assert.deepEqual(inOrder(message.authorities.map(recordText)), authorities, where);
}
