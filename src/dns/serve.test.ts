import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../lib/log.ts';
import { framed } from './plugins/forward/stream-pool.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message } from './wire/message.ts';
import { serveDns } from './serve.ts';
import { encodeMessage } from './wire/message-codec.ts';

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
