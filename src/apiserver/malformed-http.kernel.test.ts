/** Over a real socket: bytes that are no HTTP, or not quite. Each connection is answered or cut off, and the server goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { startTlsApi, type TlsApi } from '../../test/support/api.ts';

let api: TlsApi;
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
before(async () => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  api = await startTlsApi();
});
after(async () => {
  await api.stop();
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});

/** Milliseconds within which a connection whose client has said all is over. */
const PATIENCE = 10_000;

async function open(): Promise<Socket> {
  const { ca, cert, key } = api.admin;
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(api.url).port), ca, cert, key });
  await once(socket, 'secureConnect');
  return socket;
}

/** Says it, hangs up, and hears what comes until the end. */
async function say(socket: Socket, bytes: Uint8Array | string): Promise<string> {
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('the connection stays open'));
    }, PATIENCE);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  socket.end(bytes);
  await closed;
  return heard;
}

const head = 'GET /api/v1/pods HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';
const post = 'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';

/** The bytes, and the status of the first answer; '' for none at all. */
const cases: [what: string, bytes: string, status: string][] = [
  ['nothing', '', ''],
  ['no HTTP', 'hello\r\n\r\n', '400'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', '400'],
  ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
  ['an unknown method', 'FOO / HTTP/1.1\r\nhost: x\r\n\r\n', '400'],
  ['a version that is none', 'GET / HTTP/9.9\r\nhost: x\r\n\r\n', '400'],
  ['a header without a colon', `${head}nonsense\r\n\r\n`, '400'],
  ['a header that is folded', `${head}a: b\r\n c\r\n\r\n`, '400'],
  ['a zero byte in a header', `${head}a: \0\r\n\r\n`, '400'],
  ['a megabyte of headers', `${head}a: ${'x'.repeat(1024 * 1024)}\r\n\r\n`, '431'],
  ['ten thousand headers', `${head}${'a: b\r\n'.repeat(10_000)}\r\n`, '431'],
  ['a request that ends in its headers', head, '400'],
  ['a length that is no number', `${post}content-length: x\r\n\r\n`, '400'],
  ['a negative length', `${post}content-length: -1\r\n\r\n`, '400'],
  ['two lengths', `${post}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`, '400'],
  ['a length and chunks', `${post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, '400'],
  ['a chunk without a size', `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, '400'],
  ['a body that breaks off', `${post}content-length: 100\r\n\r\n{"kind"`, '400'],
  ['an encoding of the body that is not known', `${post}transfer-encoding: rot13\r\n\r\n`, '400'],
  ['a path that cannot be decoded', 'GET /api/v1/pods/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400'],
  [
    'a query that cannot be decoded',
    'GET /api/v1/pods?a=%zz&%00 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    '200',
  ],
  ['a whole URL as the path', 'GET https://elsewhere/api HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '404'],
  ['a CONNECT', 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', ''],
  [
    'an upgrade to what is unknown',
    `GET /api/v1/pods HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: rot13\r\n\r\n`,
    '400',
  ],
  ['a right request', `${head}\r\n`, '200'],
];
for (const [what, bytes, status] of cases) {
  test(`${what} is answered with ${status || 'the end of the connection'}`, async () => {
    const heard = await say(await open(), bytes);
    assert.equal(/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1] ?? '', status, heard.slice(0, 300));
  });
}

test('HTTP without TLS is cut off', async () => {
  const socket = connectPlain(Number(new URL(api.url).port), '127.0.0.1');
  await once(socket, 'connect');
  assert.doesNotMatch(await say(socket, `${head}\r\n`), /^HTTP/);
});

const line = fc.oneof(
  fc.constantFrom(
    'GET / HTTP/1.1',
    'POST /api/v1/namespaces/default/pods HTTP/1.1',
    'host: x',
    'content-length: 5',
    'content-length: 0',
  ),
  fc.constantFrom(
    'transfer-encoding: chunked',
    'connection: upgrade',
    'upgrade: websocket',
    'expect: 100-continue',
    'sec-websocket-version: 13',
  ),
  fc.constantFrom(
    '',
    '5',
    '0',
    '{}',
    'accept: \u00ff',
    'authorization: Bearer x',
    'impersonate-user: a',
    'te: trailers',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const lines = fc
  .array(line, { minLength: 1, maxLength: 8 })
  .map((all) => Buffer.from(all.join('\r\n') + '\r\n\r\n', 'latin1'));
const seed = Number(process.env['FAIRWAY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
test(`random lines are answered or cut off, and nothing breaks (FAIRWAY_SEED=${String(seed)})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(lines, fc.uint8Array({ maxLength: 300 })), async (bytes) => {
      const heard = await say(await open(), bytes);
      for (const [, status] of heard.matchAll(/^HTTP\/1\.1 (\d+)/gm)) assert.ok(Number(status) < 500, heard);
    }),
    { numRuns: 150, seed },
  );
  const heard = await say(await open(), `${head}\r\n`);
  assert.match(heard, /^HTTP\/1\.1 200/);
  assert.deepEqual(unhandled, []);
});
