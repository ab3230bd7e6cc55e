import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Server, ServerCredentials, status as codes } from '@grpc/grpc-js';
import { CriError, type ExecOutput } from '../../host/cri/cri.ts';
import { FakeClock } from '../../lib/clock.ts';
import { decodeStatus, encodeCheck, probeGrpc } from './grpc-probe.ts';
import { probeHttp, requestHeaders } from './http-probe.ts';
import { createRunHandler, createRunProbe } from './runner.ts';
import { probeTcp } from './tcp-probe.ts';

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const http = (port: number, path = '/', more: { headers?: { name: string; value: string }[] } = {}, timeout = 2000) =>
  probeHttp(
    { scheme: 'http', host: '127.0.0.1', port, path, headers: [], userAgent: 'kube-probe/1.36', ...more },
    timeout,
  );

/** A port of loopback that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const statuses: [status: number, result: string, output: string][] = [
  [200, 'success', 'body'],
  [204, 'success', ''],
  [399, 'success', 'Probe terminated redirects, Response body: body'],
  [400, 'failure', 'HTTP probe failed with statuscode: 400'],
  [404, 'failure', 'HTTP probe failed with statuscode: 404'],
  [503, 'failure', 'HTTP probe failed with statuscode: 503'],
];
for (const [status, result, output] of statuses) {
  test(`http: status ${status} is a ${result} (7-012)`, async (t) => {
    const port = await serve(t, (_, response) => response.writeHead(status).end('body'));
    const outcome = await http(port);
    assert.deepEqual([outcome.result, outcome.output], [result, output]);
  });
}

test('http: the request is a plain GET with the prober’s name, the path as given, and no keep-alive (7-013)', async (t) => {
  let seen: IncomingMessage | undefined;
  const port = await serve(t, (request, response) => {
    seen = request;
    response.end();
  });
  await http(port, 'health?full=1', {
    headers: [
      { name: 'X-Two', value: 'a' },
      { name: 'x-two', value: 'b' },
      { name: 'Host', value: 'shop.example' },
    ],
  });
  assert.deepEqual(
    [
      seen?.method,
      seen?.url,
      seen?.headers.host,
      seen?.headers['user-agent'],
      seen?.headers.accept,
      seen?.headers['x-two'],
      seen?.headers.connection,
    ],
    ['GET', '/health?full=1', 'shop.example', 'kube-probe/1.36', '*/*', 'a, b', 'close'],
  );
});

test('http: an empty Accept or User-Agent sends none, another replaces the default', () => {
  const of = (headers: { name: string; value: string }[]) => requestHeaders({ headers, userAgent: 'ua' }).headers;
  assert.deepEqual(of([]), { accept: '*/*', 'user-agent': 'ua' });
  assert.deepEqual(
    of([
      { name: 'Accept', value: '' },
      { name: 'User-Agent', value: '' },
    ]),
    {},
  );
  assert.deepEqual(of([{ name: 'accept', value: 'text/html' }]), { accept: 'text/html', 'user-agent': 'ua' });
});

test('http: a redirect on the same host is followed, elsewhere it ends as a success with a warning', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/there') response.writeHead(500).end();
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
    else if (request.url === '/away') response.writeHead(302, { location: 'http://elsewhere.example/' }).end('gone');
    else response.writeHead(301, { location: '/there' }).end();
  });
  assert.equal((await http(port, '/')).output, 'HTTP probe failed with statuscode: 500');
  assert.deepEqual(await http(port, '/away'), {
    result: 'success',
    output: 'Probe terminated redirects, Response body: gone',
    warning: true,
  });
  assert.match((await http(port, '/loop')).output, /stopped after 10 redirects/);
});

test('http: silence is a failure after the timeout, and so is a refused connection', async (t) => {
  const port = await serve(t, () => undefined);
  const late = await http(port, '/x', {}, 50);
  assert.equal(late.result, 'failure');
  assert.equal(
    late.output,
    `Get "http://127.0.0.1:${port}/x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  );
  const closed = await closedPort();
  const refused = await http(closed);
  assert.equal(
    refused.output,
    `Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  );
});

test('http: of a body without end only the first 10 KiB are read', async (t) => {
  const port = await serve(t, (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(4096)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  assert.equal((await http(port)).output.length, 10 * 1024);
});

test('tcp: connecting is success, a closed port a failure (7-015)', async (t) => {
  const port = await serve(t, () => undefined);
  assert.equal((await probeTcp('127.0.0.1', port, 2000)).result, 'success');
  const closed = await closedPort();
  assert.deepEqual(await probeTcp('127.0.0.1', closed, 2000), {
    result: 'failure',
    output: `dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  });
});

async function serveGrpc(t: TestContext, answer: (service: string) => number | codes): Promise<number> {
  const server = new Server();
  server.register(
    '/grpc.health.v1.Health/Check',
    (
      call: { request: { service: string } },
      done: (error: { code: number; details: string } | null, value?: number) => void,
    ) => {
      const status = answer(call.request.service);
      if (status < 0) done({ code: -status, details: 'no' });
      else done(null, status);
    },
    (status: number) => Buffer.from([0x08, status]),
    (message: Buffer) => ({ service: message.subarray(2).toString() }),
    'unary',
  );
  t.after(() => {
    server.forceShutdown();
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}
const grpc = (port: number, service = '', timeout = 2000) =>
  probeGrpc({ host: '127.0.0.1', port, service, userAgent: 'kube-probe/1.36' }, timeout);

test('grpc: SERVING is success; other statuses, unknown services and silence are failures (7-017)', async (t) => {
  const port = await serveGrpc(
    t,
    (service) => ({ '': 1, down: 2, odd: -codes.NOT_FOUND })[service] ?? -codes.UNIMPLEMENTED,
  );
  assert.deepEqual(await grpc(port), { result: 'success', output: 'service healthy' });
  assert.equal((await grpc(port, 'down')).output, 'service unhealthy (responded with "NOT_SERVING")');
  assert.match((await grpc(port, 'odd')).output, /health rpc probe failed: code 5: no/);
  assert.match((await grpc(port, 'none')).output, /does not implement the grpc health protocol/);
  let ended: Promise<unknown> | undefined;
  const silent = createTcpServer((socket) => {
    ended = once(socket.resume(), 'close');
  }).listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  assert.match((await grpc((silent.address() as AddressInfo).port, '', 100)).output, /within 0\.1s/);
  await ended; // the probe leaves no connection behind
  const web = await serve(t, (_, response) => response.end());
  assert.equal((await grpc(web)).result, 'failure');
  assert.match(
    (await grpc(await closedPort(), '', 1000)).output,
    /failed to connect service "127.0.0.1:\d+": dial tcp .*: connect: connection refused/,
  );
});

test('grpc: the two messages are spelled as protobuf has them', () => {
  assert.deepEqual([...encodeCheck('ab')], [0x0a, 2, 0x61, 0x62]);
  assert.deepEqual([...encodeCheck('')], []);
  assert.deepEqual([...encodeCheck('x'.repeat(300))].slice(0, 3), [0x0a, 0xac, 0x02]);
  assert.deepEqual([decodeStatus(Buffer.from([8, 1])), decodeStatus(Buffer.alloc(0))], [1, 0]);
});

const pod = { metadata: { name: 'p' }, spec: { containers: [] } };
const container = { name: 'c', ports: [{ name: 'web', containerPort: 1 }] };
const target = { pod, container, containerId: 'id', podIP: '127.0.0.1' };
const runnerWith = (execSync: (command: readonly string[], seconds: number) => Promise<ExecOutput>) => ({
  cri: { execSync: (_: string, command: readonly string[], seconds: number) => execSync(command, seconds) },
  clock: new FakeClock(),
  version: '1.36',
});
const output = (exitCode: number, stdout = '', stderr = ''): ExecOutput => ({
  exitCode,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
});

test('exec: the exit code decides, the output is told, and a timeout is a failure (7-016)', async () => {
  const probe = { exec: { command: ['check', 'it'] } };
  const outcome = (answer: () => Promise<ExecOutput>) => createRunProbe(runnerWith(answer))(probe, target, 1500);
  assert.equal((await outcome(() => Promise.resolve(output(0, 'fine')))).result, 'success');
  assert.deepEqual(await outcome(() => Promise.resolve(output(3, 'out', 'err'))), {
    result: 'failure',
    output: 'outerr',
  });
  const late = new CriError(
    'ExecSync',
    'Unknown',
    'failed to exec in container: timeout 2s exceeded: context deadline exceeded',
  );
  assert.deepEqual(await outcome(() => Promise.reject(late)), {
    result: 'failure',
    output: 'command timed out: "check it" timed out after 2s',
  });
});

test('a probe that cannot be run is tried three times, then is an error (7-010)', async () => {
  let tries = 0;
  const run = createRunProbe(
    runnerWith(() => {
      tries += 1;
      return Promise.reject(new CriError('ExecSync', 'NotFound', 'no such container'));
    }),
  );
  assert.equal((await run({ exec: { command: ['x'] } }, target, 1000)).result, 'error');
  assert.equal(tries, 3);
  const unknownPort = await run({ tcpSocket: { port: 'nope' } }, target, 1000);
  assert.deepEqual(unknownPort, { result: 'error', output: `couldn't find port: nope in container "c"` });
  assert.equal((await run({}, target, 1000)).output, 'missing probe handler for container c');
});

test('hooks: a command’s exit code counts, any HTTP answer is good, sleep waits on the clock', async (t) => {
  const options = runnerWith((command) => Promise.resolve(output(command[0] === 'good' ? 0 : 1, '', 'why')));
  const run = createRunHandler(options);
  assert.deepEqual(await run({ exec: { command: ['good'] } }, target, 1000), { ok: true, output: 'why' });
  assert.deepEqual(await run({ exec: { command: ['bad'] } }, target, 1000), { ok: false, output: 'why' });
  const port = await serve(t, (_, response) => response.writeHead(500).end('oops'));
  assert.deepEqual(await run({ httpGet: { port } }, target, 1000), { ok: true, output: 'oops' });
  assert.equal((await run({ httpGet: { port: await closedPort() } }, target, 1000)).ok, false);
  const sleeping = run({ sleep: { seconds: 5 } }, target, 60_000);
  options.clock.advance(5000);
  assert.deepEqual(await sleeping, { ok: true, output: '' });
  assert.equal((await run({}, target, 1000)).ok, false);
});
