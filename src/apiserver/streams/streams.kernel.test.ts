/** Upgrades against a kubelet that is really listening, in a namespace of the test's own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request as httpsRequest, type RequestOptions, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startTlsApi, type TlsApi } from '../../../test/support/api.ts';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { NODES, PODS } from '../../api/kinds.ts';
import type { Pod } from '../../api/types.ts';

requireOuterNamespace();

const POD_IP = '10.244.1.5';
let api: TlsApi;
let kubelet: Server;
let port: number;
/** What the kubelet does with a stream. */
let upgraded: (request: IncomingMessage, socket: Duplex) => void;
/** Request line and headers of what reached the kubelet last. */
let seen: { method: string; url: string; headers: Record<string, unknown> };

before(async () => {
  api = await startTlsApi();
  port = Number(new URL(api.url).port);
  kubelet = createServer({ ...api.serving, requestCert: true, rejectUnauthorized: true }, (_request, response) => {
    response.writeHead(500).end('no upgrade here');
  });
  kubelet.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    upgraded(request, socket);
  });
  upgraded = (request, socket) => {
    seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers };
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
    );
    socket.write('first words;');
    socket.pipe(socket);
  };
  kubelet.listen(0, '127.0.0.1');
  await once(kubelet, 'listening');
  const Port = (kubelet.address() as AddressInfo).port;
  const node = await api.client.create(NODES, { metadata: { name: 'node01' } });
  const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
  const status = { addresses, daemonEndpoints: { kubeletEndpoint: { Port } } };
  await api.client.update(NODES, { ...node, status }, { subresource: 'status' });
  const spec = {
    nodeName: 'node01',
    containers: [{ name: 'c', image: 'i', ports: [{ name: 'web', containerPort: 8088 }] }],
  };
  const pod: Pod = await api.client.create(PODS, { metadata: { name: 'web', namespace: 'default' }, spec });
  const podStatus = { ...pod.status, podIP: POD_IP, podIPs: [{ ip: POD_IP }] };
  await api.client.update(PODS, { ...pod, status: podStatus }, { subresource: 'status' });
});
after(async () => {
  kubelet.close();
  kubelet.closeAllConnections();
  await api.stop();
});

const call = (path: string, more: RequestOptions = {}) => {
  const { ca, cert, key } = api.admin;
  return httpsRequest({ host: '127.0.0.1', port, ca, cert, key, path, agent: false, ...more });
};
const POD = '/api/v1/namespaces/default/pods/web';
const spdy = {
  Connection: 'Upgrade',
  Upgrade: 'SPDY/3.1',
  'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
  Authorization: 'Bearer secret',
};

/** Status and text of an answer that is no upgrade. */
async function answer(
  path: string,
  more: RequestOptions = {},
  body = '',
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
  const request = call(path, more);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, text, headers: response.headers };
}

test('an upgrade is relayed with its handshake, and then bytes go both ways', async () => {
  const path = `${POD}/exec?command=sh&command=-c&container=c&stdin=true&stdout=true&tty=true`;
  const request = call(path, { method: 'POST', headers: spdy });
  request.end();
  const [response, socket, head] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex, Buffer];
  assert.equal(response.headers['x-stream-protocol-version'], 'v4.channel.k8s.io');
  assert.equal(seen.url, '/exec/default/web/c?input=1&output=1&tty=1&command=sh&command=-c');
  assert.equal(seen.method, 'POST');
  assert.equal(seen.headers['upgrade'], 'SPDY/3.1');
  assert.equal(seen.headers['authorization'], undefined, 'credentials stay with the API server');
  let text = String(head);
  const all = (async () => {
    for await (const chunk of socket) text += String(chunk);
  })();
  const long = 'x'.repeat(300_000);
  socket.end(`ping;${long}`);
  await all;
  assert.equal(text, `first words;ping;${long}`, 'also what comes after the input has ended');
});

test('a slow reader of an exec holds its kubelet back, and one that goes away takes the stream with it', async () => {
  let sent = 0;
  let closed: Promise<unknown> = Promise.resolve();
  const piece = Buffer.alloc(64 * 1024);
  const before = upgraded;
  upgraded = (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n');
    closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    const more = () => {
      while (!socket.destroyed) {
        sent += piece.length;
        if (!socket.write(piece)) break;
      }
    };
    socket.on('drain', more);
    more();
  };
  const request = call(`${POD}/exec?command=yes&stdout=true`, { method: 'POST', headers: spdy });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex];
  socket.on('error', () => undefined);
  let last = -1;
  while (last !== sent) {
    last = sent;
    await delay(200);
  }
  assert.ok(sent > 0 && sent < 32 * 1024 * 1024, `${String(sent)} bytes for a reader that reads nothing`);
  socket.destroy();
  await closed;
  upgraded = before;
});

test('a stream is opened as a stream or not at all: what another verb allows opens none', async () => {
  for (const [method, path, status] of [
    ['GET', '/api/v1/watch/namespaces/default/pods/web/exec', 400],
    ['GET', `${POD}/exec/more`, 400],
    ['PUT', `${POD}/exec`, 405],
    ['DELETE', `${POD}/ex%65c`, 405],
  ] as const) {
    const refused = await answer(`${path}?command=sh&stdout=true`, { method, headers: spdy });
    assert.equal(refused.status, status, `${method} ${path}: ${refused.text}`);
  }
});

test('port-forward reaches its own path', async () => {
  const request = call(`${POD}/portforward?ports=8080`, {
    method: 'POST',
    headers: { ...spdy, 'X-Stream-Protocol-Version': 'portforward.k8s.io' },
  });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [unknown, Duplex];
  assert.equal(seen.url, '/portForward/default/web?port=8080');
  socket.destroy();
});

const refusals: [what: string, path: string, headers: Record<string, string>, status: number, text: RegExp][] = [
  [
    'a WebSocket with only the newest protocol, so that kubectl falls back',
    `${POD}/exec?command=sh&stdout=true`,
    {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'eA==',
      'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
    },
    400,
    /use SPDY/,
  ],
  [
    'a Pod that is not there',
    '/api/v1/namespaces/default/pods/no/exec?command=sh&stdout=true',
    spdy,
    404,
    /pods \\"no\\" not found/,
  ],
  ['no command', `${POD}/exec?stdout=true`, spdy, 400, /at least one command/],
  ['no stream', `${POD}/exec?command=sh`, spdy, 400, /at least 1 of stdin, stdout, stderr/],
  [
    'another container',
    `${POD}/exec?command=sh&stdout=true&container=d`,
    spdy,
    400,
    /container d is not valid for pod web/,
  ],
  ['a path that is no stream', '/api/v1/pods', spdy, 400, /cannot be upgraded/],
];
for (const [what, path, headers, status, text] of refusals) {
  test(`an upgrade is refused for ${what}`, async () => {
    const found = await answer(path, { method: 'POST', headers });
    assert.equal(found.status, status);
    assert.match(found.text, text);
  });
}

test('an upgrade without credentials is 403 before anything is dialled', async () => {
  const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1' };
  const { ca } = api.admin;
  const request = httpsRequest({
    host: '127.0.0.1',
    port,
    ca,
    path: `${POD}/exec?command=sh&stdout=true`,
    method: 'POST',
    headers,
    agent: false,
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 403);
  response.resume();
});
