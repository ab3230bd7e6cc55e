/** The cache against the obvious: a list of all that the upstream ever said. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Handler } from '../../plugin.ts';
import { RCODE, replyTo, TYPE, type Message } from '../../wire/message.ts';
import { recordOf } from '../forward/fake-upstream.ts';
import { caching } from './caching.ts';

/** One answer of the upstream: told when, about what, good for how long (ms), and a mark that no other answer has. */
interface Said {
  readonly at: number;
  readonly about: string;
  readonly life: number;
  readonly mark: string;
}

const NAMES = ['a.example.', 'b.example.', 'A.example.'];
const TYPES = [TYPE.A, TYPE.TXT];
const MIN_TTL = 5;
const MAX_TTL = 50;

const step = fc.oneof(
  fc.record({ verb: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
  fc.record({
    verb: fc.constant('ask' as const),
    name: fc.constantFrom(...NAMES),
    type: fc.constantFrom(...TYPES),
    dnssecOk: fc.boolean(),
  }),
  fc.record({
    verb: fc.constant('upstream' as const),
    ttl: fc.integer({ min: 0, max: 100 }),
    kind: fc.constantFrom('good', 'denies', 'fails', 'cut off'),
  }),
  fc.record({ verb: fc.constant('change' as const) }),
);

const aboutOf = (name: string, type: number, dnssecOk: boolean) =>
  `${name.toLowerCase()} ${String(type)} ${String(dnssecOk)}`;

/** The mark in an answer, wherever it is. */
function markOf({ answers, authorities }: Message): string | undefined {
  const [record] = [...answers, ...authorities];
  if (record?.type === TYPE.TXT) return record.texts[0];
  return record?.type === TYPE.SOA ? String(record.serial) : undefined;
}

for (const staleMs of [0, 20_000]) {
  test(`what is told was told by the upstream for that very question and is not too old${staleMs > 0 ? ', stale ones being marked' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const said: Said[] = [];
        let behaviour = { ttl: 30, kind: 'good' };
        let changedAt = -1;
        const origin: Handler = ({ message, question }) => {
          const { ttl, kind } = behaviour;
          const mark = String(said.length + 1);
          const about = aboutOf(question.name, question.type, message.edns?.dnssecOk === true);
          const life = Math.min(MAX_TTL, Math.max(MIN_TTL, ttl)) * 1000;
          if (kind === 'fails') return { message: replyTo(message, RCODE.SERVFAIL), from: 'forward', transient: true };
          said.push({ at: cache.clock.now(), about, life: kind === 'cut off' ? 0 : life, mark });
          const soa = recordOf(`example. ${String(ttl)} SOA ns.example. x.example. ${mark} 2 3 4 1000`);
          const txt = recordOf(`${question.name} ${String(ttl)} TXT "${mark}"`);
          const reply = replyTo(message, kind === 'denies' ? RCODE.NXDOMAIN : RCODE.NOERROR);
          const sections = kind === 'denies' ? { authorities: [soa] } : { answers: [txt] };
          return {
            message: { ...reply, ...sections, truncated: kind === 'cut off' },
            from: 'forward',
            until: ['service/default/x'],
          };
        };
        const options = `success 100 ${String(MAX_TTL)} ${String(MIN_TTL)}\ndenial 100 ${String(MAX_TTL)} ${String(MIN_TTL)}`;
        const cache = caching(
          `cache {\n${options}\n${staleMs > 0 ? `serve_stale ${String(staleMs)}ms` : ''}\n}`,
          origin,
        );
        for (const one of steps) {
          if (one.verb === 'wait') cache.clock.advance(one.ms);
          else if (one.verb === 'upstream') behaviour = one;
          else if (one.verb === 'change') {
            changedAt = said.length;
            cache.runtime.changes.announce('service/default/x');
          } else {
            const edns = { size: 1232, version: 0, dnssecOk: one.dnssecOk };
            const before = said.length;
            const reply = (await cache.ask(one.name, one.type, { edns })) ?? assert.fail('nothing was said');
            await new Promise((resolve) => setImmediate(resolve));
            const now = cache.clock.now();
            if (reply.message.rcode === RCODE.SERVFAIL) continue;
            const source =
              said.find(({ mark }) => mark === markOf(reply.message)) ?? assert.fail('nobody ever said that');
            assert.equal(source.about, aboutOf(one.name, one.type, one.dnssecOk), 'it was said about something else');
            if (reply.from !== 'cache') continue;
            const index = said.indexOf(source);
            assert.ok(index >= changedAt, 'the cluster changed since');
            const isNewest =
              said.slice(0, before).findLastIndex(({ about, life }) => about === source.about && life > 0) === index;
            assert.ok(isNewest, 'something newer was said about it');
            const left = source.at + source.life - now;
            const [record] = [...reply.message.answers, ...reply.message.authorities];
            assert.equal(record?.ttl, Math.max(0, Math.ceil(left / 1000)));
            const isStale = reply.source?.startsWith('stale') ?? false;
            assert.equal(isStale, left <= 0);
            assert.ok(left > -staleMs, 'it is too old');
          }
        }
        await cache.stop();
      }),
      { numRuns: 150 },
    );
  });
}
