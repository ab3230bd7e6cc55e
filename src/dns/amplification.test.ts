/**
 * The table of what a forged sender could make this server send to somebody else: real datagrams to a whole server, and the bytes that come back. An answer is bounded by what the
 * asker takes and by 4096 bytes, ANY is for TCP, and what is no question is answered with at most as many bytes as came in, or not at all.
 */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { FakeClient } from '../client/fake-client.ts';
import { silentLog } from '../lib/log.ts';
import { defaultCorefile } from './corefile/default-corefile.ts';
import { fakeUpstream, recordOf, type FakeUpstream } from './plugins/forward/fake-upstream.ts';
import { runDns, type RunningDns } from './run.ts';
import { queryFor, RCODE, replyTo, TYPE, type Edns, type Message } from './wire/message.ts';
import { decodeMessage, encodeMessage } from './wire/message-codec.ts';
import { rcodeName } from './wire/record-text.ts';

let upstream: FakeUpstream;
let dns: RunningDns;
let port = 0;
let socket: Socket;

/** 20 kB for each TXT, an address for the rest. */
const texts = Array.from({ length: 80 }, (_, at) => `${String(at)} ${'x'.repeat(240)}`);

const corefile = (): string =>
  defaultCorefile()
    .replace('/etc/resolv.conf', upstream.to)
    .replace(/health \{[^}]*\}|ready|prometheus :9153|loop/g, '');

before(async () => {
  upstream = await fakeUpstream(({ query }) => {
    const [question] = query.questions;
    const name = question?.name ?? '';
    const answers =
      question?.type === TYPE.TXT
        ? texts.map((text) => recordOf(`${name} 60 TXT "${text}"`))
        : [recordOf(`${name} 60 A 192.0.2.1`)];
    return { ...replyTo(query, RCODE.NOERROR), answers };
  });
  dns = runDns({
    client: new FakeClient([]),
    corefile: { file: 'Corefile', text: corefile() },
    listen: { addresses: ['127.0.0.1'], port: 0 },
    log: silentLog,
  });
  port = [...(await dns.listening).values()][0] ?? 0;
  await dns.ready;
  socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
});

after(async () => {
  socket.close();
  await dns.stop();
  await upstream.close();
});

const MARK = 0xfffe;
/** Answered at once, by what came with the server. */
const mark = encodeMessage(queryFor(MARK, { name: 'dns-version.cluster.local.', type: TYPE.TXT, class: 1 }), 512);

/** The one answer to a datagram. */
async function ask(bytes: Buffer): Promise<Buffer> {
  const first = once(socket, 'message', { signal: AbortSignal.timeout(10_000) }) as Promise<[Buffer]>;
  socket.send(bytes, port, '127.0.0.1');
  return (await first)[0];
}

/** What comes back to datagrams that are answered at once or not at all: a question behind them shows that no more comes. */
async function flood(datagrams: readonly Buffer[]): Promise<Buffer[]> {
  const replies: Buffer[] = [];
  const done = Promise.withResolvers<undefined>();
  const take = (bytes: Buffer) => {
    if (bytes.length >= 12 && bytes.readUInt16BE(0) === MARK) done.resolve(undefined);
    else replies.push(bytes);
  };
  socket.on('message', take);
  for (const bytes of datagrams) socket.send(bytes, port, '127.0.0.1');
  socket.send(mark, port, '127.0.0.1');
  await done.promise;
  socket.off('message', take);
  return replies;
}

const query = (name: string, type: number, edns?: Partial<Edns>, change: Partial<Message> = {}): Message => ({
  ...queryFor(7, { name, type, class: 1 }, edns && { size: 1232, version: 0, dnssecOk: false, ...edns }),
  ...change,
});

for (const [why, asked, most, told] of [
  ['an address', query('www.example.', TYPE.A), 512, 'NOERROR'],
  ['much text, without EDNS', query('big.example.', TYPE.TXT), 512, 'NOERROR tc'],
  ['much text, with EDNS of 1232 bytes', query('big.example.', TYPE.TXT, {}), 1232, 'NOERROR tc'],
  ['much text, with EDNS of 4096 bytes', query('big.example.', TYPE.TXT, { size: 4096 }), 4096, 'NOERROR tc'],
  ['much text, with EDNS of all there is', query('big.example.', TYPE.TXT, { size: 65_535 }), 4096, 'NOERROR tc'],
  ['much text, with EDNS of less than there must be', query('big.example.', TYPE.TXT, { size: 0 }), 512, 'NOERROR tc'],
  ['anything', query('big.example.', TYPE.ANY, { size: 4096 }), 1, 'NOERROR tc'],
  ['a zone', query('big.example.', TYPE.AXFR, { size: 4096 }), 1, 'REFUSED'],
  ['a zone of the cluster', query('cluster.local.', TYPE.AXFR, { size: 4096 }), 1, 'REFUSED'],
  ['a later EDNS', query('big.example.', TYPE.TXT, { version: 1 }), 1, 'BADVERS'],
  ['an update', query('big.example.', TYPE.SOA, undefined, { opcode: 5 }), 1, 'NOTIMP'],
] as const) {
  const bound = most === 1 ? 'as many bytes as it sent' : `${String(most)} bytes`;
  test(`who asks for ${why} is sent at most ${bound}`, async () => {
    const bytes = encodeMessage(asked, 65_535);
    const reply = await ask(bytes);
    assert.ok(reply.length <= Math.max(most, bytes.length), `${String(reply.length)} bytes`);
    const { rcode, truncated } = decodeMessage(reply);
    assert.equal(`${rcodeName(rcode)}${truncated ? ' tc' : ''}`, told);
  });
}

test('with bufsize in the Corefile nobody is sent more than that', async () => {
  await dns.load(corefile().replace('loadbalance', 'loadbalance\nbufsize 512'));
  const reply = await ask(encodeMessage(query('big.example.', TYPE.TXT, { size: 4096 }), 512));
  await dns.load(corefile());
  assert.ok(reply.length <= 512);
});

const question = encodeMessage(query('www.example.', TYPE.A), 512);

for (const [why, bytes] of [
  ['an answer', encodeMessage({ ...query('www.example.', TYPE.A), isResponse: true }, 512)],
  [
    'an answer that says that our question was none',
    encodeMessage({ ...replyTo(query('.', 0), RCODE.FORMERR), questions: [] }, 512),
  ],
  ['a broken answer', Buffer.concat([Buffer.from('0007800000ff', 'hex'), Buffer.alloc(100, 0xff)])],
  ['less than a header', question.subarray(0, 11)],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`${why} is not answered, so two servers never talk to each other for ever`, async () => {
    assert.deepEqual(await flood(Array.from({ length: 10 }, () => bytes)), []);
  });
}

test('what is no question is answered with no more packets and no more bytes than came in', async () => {
  const datagram = fc
    .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 60 }))
    .map(([head, tail]) => Buffer.concat([head, tail]))
    .filter((bytes) => isNoQuestion(bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(datagram, { maxLength: 20 }), async (datagrams) => {
      const replies = await flood(datagrams);
      assert.ok(replies.length <= datagrams.length);
      const left = [...datagrams];
      for (const reply of replies) {
        const { rcode, isResponse } = decodeMessage(reply);
        assert.ok(isResponse && [RCODE.FORMERR, RCODE.NOTIMP].includes(rcode as 1 | 4), rcodeName(rcode));
        const cause = left.findIndex(
          (bytes) => bytes.readUInt16BE(0) === reply.readUInt16BE(0) && (bytes[2] ?? 0) < 0x80,
        );
        assert.ok(cause >= 0, 'nobody asked');
        assert.ok(reply.length <= (left[cause]?.length ?? 0), `${String(reply.length)} bytes`);
        left.splice(cause, 1);
      }
    }),
    { numRuns: 100 },
  );
});

/** True: nothing a chain would be asked for, and not our mark. */
function isNoQuestion(bytes: Buffer): boolean {
  if (bytes.readUInt16BE(0) === MARK) return false;
  try {
    const { opcode, isResponse, questions } = decodeMessage(bytes);
    return opcode !== 0 || isResponse || questions.length !== 1;
  } catch {
    return true;
  }
}
