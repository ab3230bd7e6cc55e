import assert from 'node:assert/strict';
import test from 'node:test';
import { corefileAsker } from '../../corefile-asker.ts';
import { FakeClock } from '../../../lib/clock.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import { recordingLog } from '../../recording-log.ts';
import { queryFor } from '../../wire/message.ts';
import { errorsPlugin } from './plugin.ts';

/** Names that begin with `bad` give no record, and the template says why; others are NXDOMAIN. */
const ZONE = `
  template IN A {
    match ^bad
    answer "{{ .Name }} 60 IN A nowhere"
    fallthrough
  }
  template ANY ANY {
    rcode NXDOMAIN
  }
`;
const WHY = '"bad.test. 60 IN A nowhere" is no record: A: expected an IPv4 address, found "nowhere"';

async function logOf(directive: string, questions: readonly string[], then?: (clock: FakeClock) => void) {
  const { lines, log } = recordingLog();
  const clock = new FakeClock();
  const asker = await corefileAsker(`. {\n${directive}\n${ZONE}}`, { log, clock });
  for (const question of questions) await asker.ask(question);
  then?.(clock);
  await asker.stop();
  return lines;
}

test('a problem is told with code, name and type, and what is no problem is not', async () => {
  assert.deepEqual(await logOf('errors', ['bad.test', 'good.test']), [`error 2 bad.test. A: ${WHY}`]);
});

test('what is alike is told once at the end of its time, with its number', async () => {
  const directive = 'errors {\n consolidate 30s "expected an IPv4" warning\n}';
  const lines = await logOf(directive, ['bad.test', 'bad.test', 'bad.test'], (clock) => {
    clock.advance(30_000);
  });
  assert.deepEqual(lines, ["warn 3 errors like 'expected an IPv4' occurred in last 30s"]);
});

test('with show_first the first is told at once, and alone it is all', async () => {
  const directive = 'errors {\n consolidate 30s "expected an IPv4" info show_first\n}';
  assert.deepEqual(await logOf(directive, ['bad.test']), [`info 2 bad.test. A: ${WHY}`]);
  assert.deepEqual(await logOf(directive, ['bad.test', 'bad.test']), [
    `info 2 bad.test. A: ${WHY}`,
    "info 2 errors like 'expected an IPv4' occurred in last 30s",
  ]);
});

test('the first expression that fits counts, and others are told as they are', async () => {
  const directive = 'errors {\n consolidate 1m "^no"\n consolidate 30s "IPv4"\n consolidate 5s "is no record"\n}';
  assert.deepEqual(await logOf(directive, ['bad.test']), ["error 1 errors like 'IPv4' occurred in last 30s"]);
  assert.deepEqual(await logOf('errors {\n consolidate 1m "^no"\n}', ['bad.test']), [`error 2 bad.test. A: ${WHY}`]);
});

for (const [directive, expected] of [
  [
    'errors {\n consolidate 30s\n}',
    'Corefile:3: consolidate: expected a time, an expression, a level and show_first, found "30s"',
  ],
  [
    'errors {\n consolidate soon x\n}',
    'Corefile:3: consolidate: expected a time such as 5s, 1m30s or 100ms, found "soon"',
  ],
  ['errors {\n consolidate 30s (\n}', 'Corefile:3: consolidate: error parsing regexp: missing closing ): `(`: "("'],
  [
    'errors {\n consolidate 30s x loud\n}',
    'Corefile:3: consolidate: expected a level (warning, error, info, debug) and show_first, found "loud"',
  ],
  [
    'errors {\n merge 30s x\n}',
    'Corefile:3: errors: unknown option "merge", there are stacktrace, panicRecoveryStacktrace, consolidate',
  ],
  ['errors file.log', 'Corefile:2: errors: writes to stdout only'],
  ['errors\nerrors', 'Corefile:3: errors: may stand once in a server block'],
] as const) {
  test(`refuses ${directive.replaceAll(/\s+/g, ' ')}`, async () => {
    await assert.rejects(corefileAsker(`. {\n${directive}\n}`), { name: 'CorefileError', message: expected });
  });
}

test('what throws is SERVFAIL, told and counted', async () => {
  const { lines, log } = recordingLog();
  const runtime = fakeRuntime({ log });
  const { wrap } = errorsPlugin.setup([{ name: 'errors', args: [], place: { file: 'Corefile', line: 1 } }], {
    zones: ['.'],
    server: 'dns://:53',
    runtime,
  });
  const question = { name: 'a.test.', type: 1, class: 1 };
  const asker = { address: '10.0.0.1', port: 1, transport: 'udp' as const };
  const reply = await wrap?.(() => Promise.reject(new Error('our bug')))({
    message: queryFor(1, question),
    question,
    asker,
    at: 0,
  });
  assert.equal(reply?.message.rcode, 2);
  assert.deepEqual(lines, ['error 2 a.test. A: our bug']);
  assert.match(runtime.metrics.render(), /\ncoredns_panics_total 1\n/);
});
