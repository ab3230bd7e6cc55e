import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../lib/log.ts';
import { framed } from '../plugins/forward/stream-pool.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message } from '../wire/message.ts';
import { PacketTable } from '../packets/packet-table.ts';
import { serveDns, type ServeOptions } from './serve.ts';
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts';

test('a client that asks and does not read is not answered on and on, and gets everything once it reads', async () => {
  let answered = 0;
  const respond = (query: Message) => {
    answered++;
    const text = { name: 'big.', ttl: 5, type: TYPE.TXT, texts: Array.from({ length: 200 }, () => 'x'.repeat(250)) };
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers: [text] } });
  };
  const sockets = await serveDns({ address: '127.0.0.1', port: 0, respond, log: silentLog });
  const client = connect(sockets.port, '127.0.0.1');
  try {
    await once(client, 'connect');
    const questions = 1000;
    const question = framed(encodeMessage(queryFor(1, { name: 'big.', type: TYPE.TXT, class: CLASS_IN }), 512));
    client.write(Buffer.concat(Array.from({ length: questions }, () => question)));
    // Until the server stands still: the kernel's buffers are full.
    for (let before = -1; answered === 0 || answered !== before; await sleep(100)) before = answered;
    assert.ok(answered > 0 && answered < questions / 2, `${String(answered)} replies wait`);

    let bytes = 0;
    const expected = questions * 50_000;
    await new Promise<void>((resolve) => {
      client.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= expected) resolve();
      });
    });
    assert.equal(answered, questions);
  } finally {
    client.destroy();
    await sockets.close();
  }
});

const question = (name = 'a.', id = 1) => encodeMessage(queryFor(id, { name, type: TYPE.A, class: CLASS_IN }), 512);
const echo = (query: Message) => Promise.resolve({ message: replyTo(query, RCODE.NOERROR) });

async function serving<T>(
  options: Partial<ServeOptions>,
  work: (port: number, connected: (from?: string) => Promise<Client>) => Promise<T>,
): Promise<T> {
  const sockets = await serveDns({ address: '127.0.0.1', port: 0, respond: echo, log: silentLog, ...options });
  const clients: Client[] = [];
  const connected = async (from = '127.0.0.1') => {
    const client = new Client(
      connect({ port: sockets.port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true }),
    );
    clients.push(client);
    await once(client.socket, 'connect');
    return client;
  };
  try {
    return await work(sockets.port, connected);
  } finally {
    for (const { socket } of clients) socket.destroy();
    await sockets.close();
  }
}

/** One connection, and the ids of what came back. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly ids: number[] = [];
  #held = Buffer.alloc(0);
  #wake = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      this.#held = Buffer.concat([this.#held, chunk]);
      while (this.#held.length >= 2 && this.#held.length >= 2 + this.#held.readUInt16BE(0)) {
        this.ids.push(this.#held.readUInt16BE(2));
        this.#held = this.#held.subarray(2 + this.#held.readUInt16BE(0));
      }
      this.#wake();
    });
  }

  ask(...ids: number[]): void {
    this.socket.write(Buffer.concat(ids.map((id) => framed(question('a.', id)))));
  }

  async got(count: number): Promise<number[]> {
    while (this.ids.length < count) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.ids;
  }
}

test('one connection asks any number of questions, also in pieces, and is answered after it has nothing more to say', () =>
  serving({}, async (_, connected) => {
    const client = await connected();
    client.ask(1, 2, 3);
    assert.deepEqual(await client.got(3), [1, 2, 3]);
    for (const byte of framed(question('b.', 4))) client.socket.write(Buffer.of(byte));
    client.socket.end(framed(question('c.', 5)));
    assert.deepEqual(await client.got(5), [1, 2, 3, 4, 5]);
    await client.closed;
  }));

test('replies go out as they are ready, and only so many questions of a connection are under way', async () => {
  const waiting = new Map<number, () => void>();
  const respond = async (query: Message) => {
    await new Promise<void>((resolve) => waiting.set(query.id, resolve));
    return { message: replyTo(query, RCODE.NOERROR) };
  };
  await serving({ respond, tcp: { pipelined: 2 } }, async (_, connected) => {
    const client = await connected();
    const other = await connected();
    client.ask(1, 2, 3);
    other.ask(9);
    while (waiting.size < 3) await new Promise(setImmediate);
    assert.deepEqual([...waiting.keys()].sort(), [1, 2, 9]);
    waiting.get(2)?.();
    assert.deepEqual(await client.got(1), [2]);
    while (!waiting.has(3)) await new Promise(setImmediate);
    waiting.get(3)?.();
    waiting.get(1)?.();
    assert.deepEqual((await client.got(3)).slice().sort(), [1, 2, 3]);
    waiting.get(9)?.();
    await other.got(1);
  });
});

test('who connects and says nothing, or never comes to the end of a question, is closed; who asks stays', () =>
  serving({ tcp: { idle: 300 } }, async (_, connected) => {
    const [silent, slow, busy] = [await connected(), await connected(), await connected()];
    const drip = setInterval(() => slow.socket.write(Buffer.of(0, 200)), 20);
    const asks = setInterval(() => {
      busy.ask(1);
    }, 20);
    await Promise.all([silent.closed, slow.closed]);
    clearInterval(drip);
    const before = busy.ids.length;
    await busy.got(before + 3);
    clearInterval(asks);
  }));

test('who does not take the answers is closed in the end', () => {
  const text = { name: 'big.', ttl: 5, type: TYPE.TXT, texts: Array.from({ length: 200 }, () => 'x'.repeat(250)) };
  const respond = (query: Message) =>
    Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers: [text] } });
  return serving({ respond, tcp: { idle: 300 } }, async (_, connected) => {
    const client = await connected();
    client.socket.pause();
    client.ask(...Array.from({ length: 1000 }, (_, at) => at));
    // what was sent is read to its end, and that comes though not all was answered
    await new Promise((resolve) => setTimeout(resolve, 1000));
    client.socket.resume();
    await client.closed;
    assert.ok(client.ids.length < 1000, String(client.ids.length));
  });
});

test('where there are too many connections, in all or of one client, the one that is idle longest makes room', () =>
  serving({ tcp: { connections: 4, connectionsOfOne: 2 } }, async (_, connected) => {
    const first = await connected('127.0.0.2');
    const second = await connected('127.0.0.2');
    first.ask(1);
    await first.got(1);
    const third = await connected('127.0.0.2');
    await second.closed;
    first.ask(2);
    await first.got(2);
    for (const from of ['127.0.0.3', '127.0.0.4', '127.0.0.5']) {
      const one = await connected(from);
      one.ask(1);
      await one.got(1);
    }
    await third.closed;
    first.ask(3);
    assert.deepEqual(await first.got(3), [1, 2, 3]);
  }));

test('where all connections have a question under way a new one is refused', async () => {
  const answer = Promise.withResolvers<undefined>();
  const respond = async (query: Message) => {
    await answer.promise;
    return { message: replyTo(query, RCODE.NOERROR) };
  };
  await serving({ respond, tcp: { connections: 1 } }, async (_, connected) => {
    const first = await connected();
    first.ask(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await (
      await connected().catch(() => ({ closed: undefined }))
    ).closed;
    answer.resolve(undefined);
    assert.deepEqual(await first.got(1), [1]);
  });
});

async function udp(port: number, ...queries: Buffer[]): Promise<Message[]> {
  const socket = createSocket('udp4');
  const replies: Message[] = [];
  for (const query of queries) {
    socket.send(query, port, '127.0.0.1');
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    replies.push(decodeMessage(bytes));
  }
  socket.close();
  return replies;
}

test('slow answers are bounded: further questions over UDP are told SERVFAIL at once, until some are answered', async () => {
  const slow = Promise.withResolvers<undefined>();
  let asked = 0;
  const respond = async (query: Message) => {
    asked++;
    if (query.questions[0]?.name === 'slow.') await slow.promise;
    return { message: replyTo(query, RCODE.NOERROR) };
  };
  await serving({ respond, maxUnderWay: 3 }, async (port) => {
    const socket = createSocket('udp4');
    for (let id = 0; id < 3; id++) socket.send(question('slow.', id), port, '127.0.0.1');
    while (asked < 3) await new Promise(setImmediate);
    const [busy] = await udp(port, question('b.', 77));
    assert.deepEqual([busy?.id, busy?.rcode, asked], [77, RCODE.SERVFAIL, 3]);
    slow.resolve(undefined);
    const answers = new Set<number>();
    while (answers.size < 3) answers.add(((await once(socket, 'message')) as [Buffer])[0].readUInt16BE(0));
    assert.equal((await udp(port, question('b.', 78)))[0]?.rcode, RCODE.NOERROR);
    socket.close();
  });
});

for (const [why, hex, rcode] of [
  ['a pointer to itself', '000701000001000000000000' + 'c00c' + '00010001', RCODE.FORMERR],
  ['a question that is cut off', '000701000001000000000000' + '0361', RCODE.FORMERR],
  ['counts that lie', '000701000001000000000002' + '016100' + '00010001', RCODE.FORMERR],
  ['more questions than one', '00070100ffff000000000000' + '016100' + '00010001', RCODE.FORMERR],
  ['answers in it', '000701000001000100000000' + '016100' + '00010001', RCODE.FORMERR],
  [
    'OPT twice',
    '000701000001000000000002' + '016100' + '00010001' + '000029100000000000' + '0000' + '000029100000000000' + '0000',
    RCODE.FORMERR,
  ],
  ['an update', '000728000001000000010000' + '016100' + '00060001', RCODE.NOTIMP],
] as const) {
  test(`a message with ${why} is told so, in its own id and with nothing of it`, () =>
    serving({}, async (port) => {
      const [reply] = await udp(port, Buffer.from(hex, 'hex'));
      assert.deepEqual([reply?.id, reply?.isResponse, reply?.rcode, reply?.questions.length], [7, true, rcode, 0]);
    }));
}

test('what is no query gets no answer', () =>
  serving({}, async (port) => {
    const socket = createSocket('udp4');
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(11),
      encodeMessage(replyTo(queryFor(1, { name: 'a.', type: 1, class: 1 }), 0), 512),
    ]) {
      socket.send(bytes, port, '127.0.0.1');
    }
    socket.send(question('a.', 99), port, '127.0.0.1');
    const [first] = (await once(socket, 'message')) as [Buffer];
    assert.equal(first.readUInt16BE(0), 99);
    socket.close();
  }));

test('a packet that is ready goes out without anybody being asked, over UDP and TCP, but not while somebody listens', async () => {
  let asked = 0;
  let isLeftOut = false;
  const table = new PacketTable({ random: Math.random });
  const respond = (query: Message) => {
    asked++;
    const answers = [{ name: query.questions[0]!.name, ttl: 5, type: TYPE.A, address: '192.0.2.1' }];
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers }, mayKeep: true, holds: ['zone'] });
  };
  await serving({ respond, packets: { table, number: 0, isLeftOut: () => isLeftOut } }, async (port, connected) => {
    const replies = await udp(port, question('a.', 1), question('a.', 2), question('A.', 3));
    assert.deepEqual(
      replies.map(({ id, answers }) => [id, answers.length]),
      [
        [1, 1],
        [2, 1],
        [3, 1],
      ],
    );
    assert.equal(replies[2]?.questions[0]?.name, 'A.');
    assert.equal(asked, 1);
    const client = await connected();
    client.ask(4);
    await client.got(1);
    client.ask(5);
    assert.deepEqual(await client.got(2), [4, 5]);
    // TCP counts for itself
    assert.equal(asked, 2);
    table.change('zone');
    await udp(port, question('a.', 6), question('a.', 7));
    assert.equal(asked, 3);
    isLeftOut = true;
    await udp(port, question('a.', 8), question('a.', 9));
    assert.equal(asked, 5);
  });
});

test('what was left out for an asker who takes little is there for others', async () => {
  const table = new PacketTable({ random: Math.random });
  const additionals = Array.from({ length: 40 }, (_, at) => ({
    name: `pod-${String(at)}.`,
    ttl: 5,
    type: TYPE.A,
    address: `192.0.2.${String(at)}`,
  }));
  const respond = (query: Message) => {
    const { edns } = query;
    const message = { ...replyTo(query, RCODE.NOERROR), additionals, ...(edns && { edns }) };
    return Promise.resolve({ message, mayKeep: true, holds: ['zone'] });
  };
  const asking = (size: number) =>
    encodeMessage(
      queryFor(1, { name: 'a.', type: TYPE.SRV, class: CLASS_IN }, { size, version: 0, dnssecOk: false }),
      512,
    );
  await serving({ respond, packets: { table, number: 0, isLeftOut: () => false } }, async (port) => {
    const counts = (await udp(port, ...[512, 4096, 4096, 512].map(asking))).map((reply) => reply.additionals.length);
    assert.deepEqual(counts, [counts[0], 40, 40, counts[0]]);
    assert.ok((counts[0] ?? 0) < 40);
  });
});

test('packets that go out in one burst are each their own, though they are written in one place', async () => {
  const table = new PacketTable({ random: Math.random });
  const count = 100;
  const respond = (query: Message) => {
    const { name } = query.questions[0]!;
    const answers = [{ name, ttl: 5, type: TYPE.TXT, texts: [name.repeat(20)] }];
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers }, mayKeep: true, holds: ['zone'] });
  };
  const queries = Array.from({ length: count }, (_, id) => question(`n${String(id)}.`, id));
  await serving({ respond, packets: { table, number: 0, isLeftOut: () => false } }, async (port) => {
    await udp(port, ...queries);
    const socket = createSocket('udp4');
    const replies = new Map<number, Message>();
    const all = new Promise<void>((resolve) => {
      socket.on('message', (bytes) => {
        const reply = decodeMessage(bytes);
        replies.set(reply.id, reply);
        if (replies.size === count) resolve();
      });
    });
    for (const query of queries) socket.send(query, port, '127.0.0.1');
    await all;
    for (const [id, { answers }] of replies) {
      const name = `n${String(id)}.`;
      assert.deepEqual(answers, [{ name, ttl: 5, type: TYPE.TXT, texts: [name.repeat(20)] }]);
    }
    socket.close();
  });
});
