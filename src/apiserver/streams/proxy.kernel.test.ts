/** The proxy subresources against a kubelet and backends that are really listening, in a namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type RequestOptions, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { startTlsApi, type TlsApi } from '../../../test/support/api.ts';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import type { PodLookup } from '../../kubelet/parts.ts';
import type { Refusal } from '../../kubelet/server/find.ts';
import { openTunnel } from '../../kubelet/server/tunnel.ts';
import { ENDPOINTS, NODES, PODS, SERVICES } from '../../api/kinds.ts';
import type { Endpoints, Pod, Service } from '../../api/types.ts';

requireOuterNamespace();

const POD_IP = '10.244.1.6';
const POD = '/api/v1/namespaces/default/pods/web';
const SVC = '/api/v1/namespaces/default/services';
let api: TlsApi;
let port: number;
let kubelet: Server;
let backend: ReturnType<typeof createHttpServer>;
let secureBackend: Server;
/** What the backend does with the next requests. */
let serve: (request: IncomingMessage, response: ServerResponse) => void;

/** A kubelet that knows no tunnels. */
const notHere = (_request: IncomingMessage, socket: Duplex) =>
  void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
let connecting: (request: IncomingMessage, socket: Duplex, head: Buffer) => void = notHere;

const echo: typeof serve = (request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += String(chunk)));
  request.on('end', () => {
    response.end(`${request.method ?? ''} ${request.url ?? ''} ${body}`.trim());
  });
};

before(async () => {
  execFileSync('ip', ['address', 'add', `${POD_IP}/32`, 'dev', 'lo']);
  api = await startTlsApi();
  port = Number(new URL(api.url).port);
  kubelet = createServer({ ...api.serving, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    response.end(`kubelet ${request.method ?? ''} ${request.url ?? ''}`);
  });
  kubelet.on('connect', (request, socket: Duplex, head: Buffer) => {
    connecting(request, socket, head);
  });
  kubelet.listen(0, '127.0.0.1');
  backend = createHttpServer((request, response) => {
    serve(request, response);
  });
  backend.on('upgrade', (_request, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello;');
    socket.pipe(socket);
  });
  backend.listen(8088, POD_IP);
  secureBackend = createServer({ cert: api.serving.cert, key: api.serving.key }, (_request, response) => {
    response.end('secure');
  });
  secureBackend.listen(8443, POD_IP);
  await Promise.all([kubelet, backend, secureBackend].map((server) => once(server, 'listening')));
  const Port = (kubelet.address() as AddressInfo).port;
  const node = await api.client.create(NODES, { metadata: { name: 'node01' } });
  const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
  const status = { addresses, daemonEndpoints: { kubeletEndpoint: { Port } } };
  await api.client.update(NODES, { ...node, status }, { subresource: 'status' });
  const ports = [{ name: 'web', containerPort: 8088 }];
  const spec = { nodeName: 'node01', containers: [{ name: 'c', image: 'i', ports }] };
  const pod: Pod = await api.client.create(PODS, { metadata: { name: 'web', namespace: 'default' }, spec });
  const podStatus = { ...pod.status, podIP: POD_IP, podIPs: [{ ip: POD_IP }] };
  await api.client.update(PODS, { ...pod, status: podStatus }, { subresource: 'status' });
});
after(async () => {
  for (const server of [kubelet, backend, secureBackend]) {
    server.close();
    server.closeAllConnections();
  }
  await api.stop();
});

const call = (path: string, more: RequestOptions = {}) => {
  const { ca, cert, key } = api.admin;
  return httpsRequest({ host: '127.0.0.1', port, ca, cert, key, path, agent: false, ...more });
};

/** Status and text of an answer that is no upgrade. */
async function answer(path: string, more: RequestOptions = {}, body: string | Buffer = '') {
  const request = call(path, more);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  return { status: response.statusCode ?? 0, text: bytes.toString(), bytes, headers: response.headers };
}

test('a Pod is reached by name and port, with the query as it came (7-067, 8-117, 8-118)', async () => {
  serve = echo;
  assert.equal((await answer(`${POD}/proxy/a%2Fb/c?d=e%20f&g`)).text, 'GET /a%2Fb/c?d=e%20f&g');
  for (const name of ['web', 'web:web', 'web:8088', 'http:web:8088'])
    assert.equal((await answer(`/api/v1/namespaces/default/pods/${name}/proxy/`)).text, 'GET /', name);
  const { status, headers } = await answer(`${POD}/proxy?a=b%20c`);
  assert.deepEqual([status, headers.location], [301, `${POD}/proxy/?a=b%20c`]);
  assert.equal((await answer(`${POD}/proxy`, { method: 'POST' }, 'x')).text, 'POST / x');
  for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    assert.equal((await answer(`${POD}/proxy/x`, { method })).text, `${method} /x`);
  assert.equal((await answer('/api/v1/namespaces/default/pods/https:web:8443/proxy/')).text, 'secure');
  const invalid = await answer('/api/v1/namespaces/default/pods/a:b:c:d/proxy/');
  assert.deepEqual([invalid.status, /invalid pod request \\"a:b:c:d\\"/.test(invalid.text)], [400, true]);
});

test('any media type may be asked for, and the answer is the one the backend gives', async () => {
  serve = (_request, response) => {
    response.writeHead(418, {
      'content-type': 'text/css',
      'set-cookie': ['a=1', 'b=2'],
      'access-control-allow-origin': '*',
    });
    response.end('x{}');
  };
  const { status, text, headers } = await answer(`${POD}/proxy/style`, { headers: { accept: 'text/css' } });
  assert.deepEqual([status, text, headers['content-type']], [418, 'x{}', 'text/css']);
  assert.deepEqual([headers['set-cookie'], headers['access-control-allow-origin']], [['a=1', 'b=2'], undefined]);
});

test('redirects and the links of a page lead back through the proxy (8-119)', async () => {
  const page = '<a href="/next">next</a>';
  serve = (request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new?a' }).end();
    else if (request.url === '/packed')
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync(page));
    else
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': page.length }).end(page);
  };
  assert.equal((await answer(`${POD}/proxy/old`)).headers.location, `${POD}/proxy/new?a`);
  assert.equal((await answer(`${POD}/proxy/page`)).text, `<a href="${POD}/proxy/next">next</a>`);
  assert.equal((await answer(`${POD}/proxy/`)).text, `<a href="${POD}/proxy/next">next</a>`);
  assert.deepEqual((await answer(`${POD}/proxy/packed`)).bytes, gzipSync(page));
  assert.equal((await answer(`${POD}/proxy/page`, { method: 'HEAD' })).headers['content-length'], String(page.length));
});

test('a Service is reached through a ready Pod of its Endpoints, and nothing else is (8-114 to 8-116, 8-120)', async () => {
  serve = echo;
  const metadata = { name: 'svc', namespace: 'default' };
  const service: Service = { metadata, spec: { ports: [{ name: 'web', port: 80, targetPort: 8088 }] } };
  await api.client.create(SERVICES, service);
  const none = await answer(`${SVC}/svc:web/proxy/`);
  assert.equal(none.status, 503);
  assert.match(none.text, /no endpoints available for service \\"svc\\"/);
  const endpoints = (targetRef?: object): Endpoints => ({
    metadata,
    subsets: [{ addresses: [{ ip: POD_IP, ...(targetRef && { targetRef }) }], ports: [{ name: 'web', port: 8088 }] }],
  });
  await api.client.create(ENDPOINTS, endpoints());
  const foreign = await answer(`${SVC}/svc:web/proxy/`);
  assert.equal(foreign.status, 503, 'an address that is no Pod is not reachable this way');
  await api.client.update(ENDPOINTS, endpoints({ kind: 'Pod', namespace: 'default', name: 'web' }));
  for (const name of ['svc', 'svc:web', 'svc:80', 'http:svc:web']) {
    const found = await answer(`${SVC}/${name}/proxy/x`, { method: 'POST' }, 'body');
    assert.equal(found.text, 'POST /x body', name);
  }
  const wrong = await answer(`${SVC}/svc:81/proxy/`);
  assert.deepEqual([wrong.status, /no service port 81 found for service \\"svc\\"/.test(wrong.text)], [503, true]);
  const missing = await answer(`${SVC}/no/proxy/`);
  assert.deepEqual([missing.status, /services \\"no\\" not found/.test(missing.text)], [404, true]);
  await api.client.update(ENDPOINTS, {
    ...endpoints({ kind: 'Pod', namespace: 'default', name: 'web' }),
    subsets: [
      {
        addresses: [{ ip: POD_IP, targetRef: { kind: 'Pod', namespace: 'default', name: 'web' } }],
        ports: [{ name: 'web', port: 8089 }],
      },
    ],
  });
  const down = await answer(`${SVC}/svc/proxy/`);
  assert.equal(down.status, 503);
  assert.match(down.text, /error trying to reach service: dial tcp 10\.244\.1\.6:8089: connect: connection refused/);
});

test('a Pod is reached by way of its kubelet, and what the kubelet cannot reach it says', async () => {
  serve = echo;
  const pods = [{ metadata: { name: 'web' }, spec: { containers: [] }, status: { podIP: POD_IP } }];
  let tunnels = 0;
  connecting = (request, socket, head) => {
    tunnels += 1;
    const lookup = { list: () => pods } as unknown as PodLookup;
    openTunnel(lookup, request.url ?? '', socket, head).catch((error: unknown) => {
      const { code, message } = error as Refusal;
      socket.end(`HTTP/1.1 ${String(code)} No\r\n\r\n${message}`);
    });
  };
  const body = 'x'.repeat(300_000);
  assert.equal((await answer(`${POD}/proxy/a`, { method: 'POST' }, body)).text, `POST /a ${body}`);
  assert.equal((await answer('/api/v1/namespaces/default/pods/https:web:8443/proxy/')).text, 'secure');
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
  const request = call(`${POD}/proxy/socket`, { headers });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex];
  socket.end();
  const down = await answer('/api/v1/namespaces/default/pods/web:1/proxy/');
  assert.equal(down.status, 503);
  assert.match(down.text, /error trying to reach service: dial tcp 10\.244\.1\.6:1: connect: connection refused/);
  assert.equal(tunnels, 4);
  connecting = notHere;
});

test('a node is its kubelet, and no address of the API server itself is reached (7-068)', async () => {
  assert.equal((await answer('/api/v1/nodes/node01/proxy/pods?x')).text, 'kubelet GET /pods?x');
  const own = String((kubelet.address() as AddressInfo).port);
  assert.equal((await answer(`/api/v1/nodes/https:node01:${own}/proxy/healthz`)).text, 'kubelet GET /healthz');
  assert.equal(
    (await answer(`/api/v1/nodes/node01:${own}/proxy/run/a/b/c`, { method: 'POST' })).text,
    'kubelet POST /run/a/b/c',
  );
  const loopback = await answer('/api/v1/nodes/node01:8088/proxy/');
  assert.deepEqual([loopback.status, /address not allowed/.test(loopback.text)], [400, true]);
  assert.equal((await answer('/api/v1/nodes/no/proxy/')).status, 404);
});

test('bodies stream both ways: each piece is answered before the next is sent, and none is too long', async () => {
  serve = (request, response) => void request.pipe(response);
  const request = call(`${POD}/proxy/echo`, { method: 'POST' });
  request.write('one');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(String((await once(response, 'data'))[0]), 'one');
  for (const piece of ['two', 'three']) {
    request.write(piece);
    assert.equal(String((await once(response, 'data'))[0]), piece);
  }
  request.end();
  await once(response, 'end');
  const long = Buffer.alloc(8 * 1024 * 1024, 'x');
  const back = await answer(`${POD}/proxy/echo`, { method: 'POST' }, long);
  assert.ok(back.bytes.equals(long), 'more than an object may be');
});

test('a WebSocket is opened through a Pod and a Service, and bytes go both ways after it', async () => {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'eA==',
    'Sec-WebSocket-Version': '13',
  };
  const request = call(`${POD}/proxy/socket?a=b`, { headers });
  request.end();
  const [, socket, head] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex, Buffer];
  let text = String(head);
  socket.on('data', (chunk: Buffer) => (text += String(chunk)));
  socket.end('x'.repeat(300_000));
  await once(socket, 'end');
  assert.equal(text, `hello;${'x'.repeat(300_000)}`);
});

test('a backend that will not upgrade says so in its own words', async () => {
  const plain = createHttpServer(echo);
  plain.listen(8090, POD_IP);
  await once(plain, 'listening');
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
  const { status, text } = await answer('/api/v1/namespaces/default/pods/web:8090/proxy/x', { headers });
  assert.deepEqual([status, text], [200, 'GET /x']);
  plain.close();
  plain.closeAllConnections();
  const gone = await answer('/api/v1/namespaces/default/pods/web:8090/proxy/x', { headers });
  assert.deepEqual([gone.status, /error trying to reach service/.test(gone.text)], [503, true]);
});

test('a slow reader holds the backend back, and one that goes away ends its request', async () => {
  let sent = 0;
  let closed: Promise<unknown> = Promise.resolve();
  const piece = Buffer.alloc(64 * 1024);
  serve = (_request, response) => {
    closed = once(response, 'close');
    const more = () => {
      while (!response.destroyed) {
        sent += piece.length;
        if (!response.write(piece)) break;
      }
    };
    response.on('drain', more);
    more();
  };
  const request = call(`${POD}/proxy/endless`);
  request.on('error', () => undefined);
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.pause();
  let before = -1;
  while (before !== sent) {
    before = sent;
    await delay(200);
  }
  assert.ok(sent > 0 && sent < 32 * 1024 * 1024, `${String(sent)} bytes for a reader that reads nothing`);
  request.destroy();
  await closed;
});

test('an answer that breaks off breaks off for the client too', async () => {
  serve = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('half', () => response.destroy());
  };
  await assert.rejects(answer(`${POD}/proxy/half`), /aborted/);
});
