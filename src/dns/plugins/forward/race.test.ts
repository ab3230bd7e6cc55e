import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../../lib/clock.ts';
import { queryFor, RCODE, replyTo } from '../../wire/message.ts';
import { rcodeName } from '../../wire/record-text.ts';
import { race, type RaceOptions, type Runner } from './race.ts';
import { aborted, timedOut, UpstreamError } from './upstream-error.ts';

const question = { name: 'www.example.', type: 1, class: 1 };
const ask = {
  question,
  overTcp: false,
  recursionDesired: true,
  dnssecOk: false,
  checkingDisabled: false,
  authenticData: false,
};

/** What a server does: answers after so many ms with a code, is not there, or swallows the question. */
type Behaviour = readonly [ms: number, rcode: number] | 'gone' | 'black hole';

/** One letter per server. Resolves to who won when, and to who was asked when and who was told on. */
async function run(servers: Readonly<Record<string, Behaviour>>, options: Partial<RaceOptions> = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const failed: string[] = [];
  const runners = Object.entries(servers).map(([name, behaviour]): Runner => ({
    name,
    ask(_, signal) {
      asked.push(`${name}@${String(clock.now())}`);
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(aborted());
        });
        if (behaviour === 'gone') reject(new UpstreamError('at once', 'refused the connection'));
        else if (behaviour === 'black hole') clock.after(2000, () => reject(timedOut(2000)));
        else clock.after(behaviour[0], () => resolve(replyTo(queryFor(1, question), behaviour[1])));
      });
    },
    failed: () => void failed.push(`${name}@${String(clock.now())}`),
  }));
  const outcome = race(runners, ask, { clock, ...options });
  let told: string | undefined;
  void outcome.then((result) => {
    const text =
      'reply' in result ? `${result.by} ${rcodeName(result.reply.rcode)}` : `nobody (${String(result.reasons.length)})`;
    told = `${text} @${String(clock.now())}`;
  });
  for (let ms = 0; ms < 10_000 && told === undefined; ms += 10) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (told === undefined) clock.advance(10);
  }
  await outcome;
  return { told, asked: asked.join(' '), failed: failed.join(' ') };
}

const OK = RCODE.NOERROR;
const servfail = new Set<number>([RCODE.SERVFAIL]);

for (const [why, servers, options, told, asked, failed] of [
  ['one that answers is the only one asked', { a: [20, OK], b: [20, OK] }, {}, 'a NOERROR @20', 'a@0', ''],
  ['one that is not there costs nothing', { a: 'gone', b: [20, OK] }, {}, 'b NOERROR @20', 'a@0 b@0', 'a@0'],
  [
    'one that swallows questions costs 300 ms',
    { a: 'black hole', b: [20, OK] },
    {},
    'b NOERROR @320',
    'a@0 b@300',
    'a@320',
  ],
  [
    'two that swallow them 600 ms',
    { a: 'black hole', b: 'black hole', c: [20, OK] },
    {},
    'c NOERROR @620',
    'a@0 b@300 c@600',
    'a@620 b@620',
  ],
  ['a slow one is overtaken', { a: [1500, OK], b: [20, OK] }, {}, 'b NOERROR @320', 'a@0 b@300', 'a@320'],
  [
    'a slow one wins where the other is not there',
    { a: [700, OK], b: 'gone' },
    {},
    'a NOERROR @700',
    'a@0 b@300',
    'b@300',
  ],
  ['a slow one wins where the other is slower', { a: [400, OK], b: [400, OK] }, {}, 'a NOERROR @400', 'a@0 b@300', ''],
  ['a denial is an answer', { a: [20, RCODE.NXDOMAIN], b: [20, OK] }, {}, 'a NXDOMAIN @20', 'a@0', ''],
  [
    'a failure of the server is passed on as CoreDNS does',
    { a: [20, RCODE.SERVFAIL], b: [20, OK] },
    {},
    'a SERVFAIL @20',
    'a@0',
    '',
  ],
  [
    'but not while another is asked anyhow',
    { a: [350, RCODE.SERVFAIL], b: [100, OK] },
    {},
    'b NOERROR @400',
    'a@0 b@300',
    '',
  ],
  [
    'with failover the next is asked',
    { a: [20, RCODE.SERVFAIL], b: [20, OK] },
    { failover: servfail },
    'b NOERROR @40',
    'a@0 b@20',
    '',
  ],
  [
    'with failover the last failure is told',
    { a: [20, RCODE.SERVFAIL], b: [20, RCODE.SERVFAIL] },
    { failover: servfail },
    'b SERVFAIL @40',
    'a@0 b@20',
    '',
  ],
  [
    'a single one is asked again after a second, for packets get lost',
    { a: 'black hole' },
    {},
    'nobody (2) @3000',
    'a@0 a@1000',
    'a@2000 a@3000',
  ],
  ['one that is not there is not asked again', { a: 'gone' }, {}, 'nobody (1) @0', 'a@0', 'a@0'],
  ['all gone is told at once', { a: 'gone', b: 'gone', c: 'gone' }, {}, 'nobody (3) @0', 'a@0 b@0 c@0', 'a@0 b@0 c@0'],
  ['max_connect_attempts is the end', { a: 'gone', b: [20, OK] }, { maxAttempts: 1 }, 'nobody (1) @0', 'a@0', 'a@0'],
  ['nobody to ask is nobody', {}, {}, 'nobody (0) @0', '', ''],
] as const satisfies readonly (readonly [
  string,
  Record<string, Behaviour>,
  Partial<RaceOptions>,
  string,
  string,
  string,
])[]) {
  test(why, async () => {
    assert.deepEqual(await run(servers, options), { told, asked, failed });
  });
}

test('it is over before the resolvers of most systems give up, however many there are', async () => {
  const holes = Object.fromEntries(Array.from({ length: 15 }, (_, at) => [`s${String(at)}`, 'black hole' as const]));
  const { told } = await run(holes);
  assert.match(told ?? '', /^nobody \(\d+\) @4500$/);
});
