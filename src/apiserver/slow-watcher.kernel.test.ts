/** Over real sockets: who stops reading a watch is cut off, the others hear everything, and the server keeps nothing for him. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { startTlsApi, type TlsApi } from '../../test/support/api.ts';
import { CONFIG_MAPS } from '../api/kinds.ts';
import type { ConfigMap } from '../api/types.ts';

const MB = 1024 * 1024;
const ROUNDS = 60;
/** Bytes of one change: together seven times what a reader may be behind. */
const SIZE = MB;

let api: TlsApi;
before(async () => {
  api = await startTlsApi();
});
after(() => api.stop());

async function openWatch(): Promise<TLSSocket> {
  const { hostname, port } = new URL(api.url);
  const { ca, cert, key } = api.admin;
  const socket = connect({ host: hostname, port: Number(port), ca, cert, key });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const query = 'watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dlarge';
  socket.write(`GET /api/v1/namespaces/default/configmaps?${query} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

/** As the server counts them. */
async function openWatches(): Promise<number> {
  const { ca, cert, key } = api.admin;
  const response = get(`${api.url}/metrics`, { ca, cert, key, agent: false });
  const [answer] = (await once(response, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  const line = /^apiserver_longrunning_requests\{.*resource="configmaps".*\} (\d+)$/m.exec(text);
  return Number(line?.[1]);
}

/** Everything the server says has to pass here: nobody else reads this socket. */
function hears(socket: TLSSocket, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    let tail = '';
    const look = (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1');
      tail = text.slice(-wanted.length);
      if (!text.includes(wanted)) return;
      socket.off('data', look);
      resolve();
    };
    socket.on('data', look);
  });
}

test('a watcher that does not read is cut off while others go on', async () => {
  const client = api.client;
  const large: ConfigMap = { metadata: { name: 'large', namespace: 'default' }, data: { round: 'none' } };
  await client.create(CONFIG_MAPS, large);
  const [reading, stuck] = [await openWatch(), await openWatch()];
  await Promise.all([reading, stuck].map((socket) => once(socket, 'data')));
  stuck.pause();

  assert.equal(await openWatches(), 2);
  for (let round = 0; round < ROUNDS; round++) {
    const heard = hears(reading, `"round":"${String(round)}"`);
    await client.update(CONFIG_MAPS, { ...large, data: { round: String(round), text: 'x'.repeat(SIZE - 100) } });
    await heard;
  }
  assert.equal(await openWatches(), 1, 'nothing is kept for it any more');

  // What is left in the kernel's buffers comes, and then the end: long before all there was to say.
  let size = 0;
  stuck.on('data', (chunk: Buffer) => (size += chunk.length));
  const closed = once(stuck, 'close');
  stuck.resume();
  await closed;
  assert.ok(size < 20 * MB, `${String(size / MB)} MB came`);
  reading.destroy();
});
