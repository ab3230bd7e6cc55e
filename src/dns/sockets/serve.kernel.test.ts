/** Sockets for every address, in a network namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { silentLog } from '../../lib/log.ts';
import { serveDns, type DnsSockets } from './serve.ts';
import { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message } from '../wire/message.ts';
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts';

requireOuterNamespace();

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);
const PORT = 53;
const respond = (query: Message) => Promise.resolve({ message: replyTo(query, RCODE.NOERROR) });
let open: DnsSockets[];

before(async () => {
  for (const address of ['192.0.2.1/24', '192.0.2.2/24', '2001:db8::1/64', '2001:db8::2/64']) {
    await ip('address', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : []));
  }
  open = [];
  for (const address of ['0.0.0.0', '::']) open.push(await serveDns({ address, port: PORT, respond, log: silentLog }));
});

after(() => Promise.all(open.map((each) => each.close())));

/** As resolvers do: from a connected socket, which takes answers from whom it asked alone. Undefined: none came. */
async function ask(address: string, ms: number): Promise<Message | undefined> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    // to here the kernel would answer from here, whatever was asked
    socket.bind(0, address.includes(':') ? '::1' : '127.0.0.1');
    await once(socket, 'listening');
    socket.connect(PORT, address);
    await once(socket, 'connect');
    socket.send(encodeMessage(queryFor(7, { name: 'a.', type: TYPE.A, class: CLASS_IN }), 512));
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(ms) })) as [Buffer];
    return decodeMessage(bytes);
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** An address may be found a little later than it comes. */
async function eventually(address: string): Promise<Message | undefined> {
  for (let tries = 0; tries < 40; tries++) {
    const answer = await ask(address, 500);
    if (answer) return answer;
  }
  return undefined;
}

test('answers leave from the address that was asked, in both families', async () => {
  for (const address of ['127.0.0.1', '192.0.2.1', '192.0.2.2', '::1', '2001:db8::1', '2001:db8::2']) {
    assert.equal((await ask(address, 5000))?.id, 7, address);
  }
});

test('an address that comes is answered from before long, and one that went and came again too', async () => {
  for (const turn of ['first', 'second']) {
    await ip('address', 'add', '192.0.2.3/24', 'dev', 'lo');
    assert.equal((await eventually('192.0.2.3'))?.id, 7, turn);
    await ip('address', 'del', '192.0.2.3/24', 'dev', 'lo');
  }
});

test('another server cannot have the same port', async () => {
  await assert.rejects(serveDns({ address: '0.0.0.0', port: PORT, respond, log: silentLog }), { code: 'EADDRINUSE' });
});
