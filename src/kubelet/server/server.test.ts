import { after, before, test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod } from '../../api/types.ts';
import { openAuthority } from '../../cluster/certificate-authority.ts';
import { CriError, type StreamRequest } from '../../host/cri/cri.ts';
import { silentLog } from '../../lib/log.ts';
import type { ContainerRecord } from '../parts.ts';
import { handshakeHeaders } from './relay.ts';
import { parseRoute } from './route.ts';
import { runKubeletServer } from './serve.ts';

interface Identity {
  certPem: string;
  keyPem: string;
}
const directory = mkdtempSync(join(tmpdir(), 'kubelet-server-'));
let ca = '';
let serving: Identity;
const clients: Record<'admin' | 'apiserver' | 'node' | 'stranger', Identity> = {} as Record<
  'admin' | 'apiserver' | 'node' | 'stranger',
  Identity
>;

before(async () => {
  const now = Date.now();
  const authority = await openAuthority(join(directory, 'ca.crt'), join(directory, 'ca.key'), now);
  ca = authority.certPem;
  const sign = (commonName: string, organization?: string, use: 'client' | 'server' = 'client') =>
    authority.sign(
      { file: 'x', commonName, use, ips: ['127.0.0.1'], ...(organization !== undefined && { organization }) },
      now,
    );
  serving = await sign('system:node:n', 'system:nodes', 'server');
  clients.admin = await sign('kubernetes-admin', 'system:masters');
  clients.apiserver = await sign('kube-apiserver-kubelet-client');
  clients.node = await sign('system:node:other', 'system:nodes');
  const other = await openAuthority(join(directory, 'other.crt'), join(directory, 'other.key'), now);
  clients.stranger = await other.sign(
    { file: 'x', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
    now,
  );
});
after(() => {
  rmSync(directory, { recursive: true });
});

const pod: Pod = {
  metadata: { name: 'web', namespace: 'shop', uid: 'u1' },
  spec: { containers: [{ name: 'app', tty: true }, { name: 'slow' }] },
  status: {
    phase: 'Running',
    podIP: '127.0.0.2',
    containerStatuses: [
      {
        name: 'slow',
        ready: false,
        restartCount: 0,
        image: '',
        imageID: '',
        state: { waiting: { reason: 'ErrImagePull' } },
      },
    ],
  },
};

/** What the API server would say. */
const rights: Record<string, string[]> = { scraper: ['metrics'], proxier: ['proxy'] };

/** Its address is the node's: nobody is led there. */
const hostPod: Pod = {
  metadata: { name: 'host', namespace: 'shop', uid: 'u2' },
  spec: { hostNetwork: true, containers: [] },
  status: { podIP: '127.0.0.1' },
};

async function start(t: TestContext) {
  const logPath = join(directory, `${randomBytes(4).toString('hex')}.log`);
  const logs = mkdtempSync(join(directory, 'logs-'));
  const record: ContainerRecord = { id: 'c1', name: 'app', state: 'RUNNING', logPath };
  const asked: unknown[] = [];
  let streamUrl = '';
  const stream =
    (what: string) =>
    (...given: unknown[]) => {
      asked.push([what, ...given]);
      return Promise.resolve(streamUrl);
    };
  const server = await runKubeletServer({
    log: silentLog,
    address: '127.0.0.1',
    port: 0,
    serving: { cert: serving.certPem, key: serving.keyPem, clientCa: ca },
    logsDirectory: logs,
    access: {
      user: (token) => Promise.resolve(token === 'bad' ? undefined : { user: token, groups: [] }),
      allows: ({ user }, _verb, subresource) =>
        user === 'broken'
          ? Promise.reject(new Error('no connection'))
          : Promise.resolve(rights[user]?.includes(subresource) === true),
    },
    pages: new Map([
      [
        'extra',
        ({ pathname, searchParams }, response) => {
          response.end(`${pathname} ${searchParams.get('a') ?? ''}`);
          return Promise.resolve();
        },
      ],
    ]),
    pods: {
      list: () => [pod, hostPod],
      get: (namespace, name) => (namespace === 'shop' && name === 'web' ? pod : undefined),
      sandboxId: () => 's1',
      container: (_, name, previous) => (name === 'app' && previous !== true ? record : undefined),
    },
    cri: {
      exec: stream('exec') as (request: StreamRequest) => Promise<string>,
      attach: stream('attach') as (request: StreamRequest) => Promise<string>,
      portForward: stream('portForward') as (id: string) => Promise<string>,
      execSync: (_, command) =>
        command[0] === 'fail'
          ? Promise.reject(new CriError('ExecSync', 'Unknown', 'no such program'))
          : Promise.resolve({ stdout: Buffer.from(`ran ${command.join('+')}`), stderr: Buffer.alloc(0), exitCode: 0 }),
    },
    probeCounts: () => [
      { namespace: 'shop', pod: 'web', podUid: 'u1', container: 'app', type: 'readiness', result: 'failure', count: 2 },
    ],
  });
  t.after(() => server.stop());
  const call = (path: string, who: Identity | undefined = clients.apiserver, more: Record<string, unknown> = {}) =>
    request({
      host: '127.0.0.1',
      port: server.port,
      path,
      ca,
      agent: new Agent({ maxSockets: 1 }),
      ...(who && { cert: who.certPem, key: who.keyPem }),
      ...more,
    });
  const get = async (path: string, who?: Identity | null, headers = {}): Promise<[number, string]> => {
    const nobody = { cert: undefined, key: undefined };
    const sent = call(path, who ?? undefined, { headers, ...(who === null && nobody) });
    const [response] = (await once(sent.end(), 'response')) as [IncomingMessage];
    const chunks = await response.toArray();
    return [response.statusCode ?? 0, Buffer.concat(chunks as Buffer[]).toString()];
  };
  const serveStreams = async (onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void) => {
    const runtime = createServer((_, response) => response.writeHead(403).end('not this way')).listen(0, '127.0.0.1');
    runtime.on('upgrade', onUpgrade);
    t.after(() => runtime.close());
    await once(runtime, 'listening');
    streamUrl = `http://127.0.0.1:${(runtime.address() as AddressInfo).port}/exec/TOKEN`;
  };
  return { server, call, get, logs, record, logPath, asked, serveStreams };
}

test('only the API server and administrators of this cluster are let in', async (t) => {
  const { get } = await start(t);
  assert.deepEqual(await get('/healthz', clients.apiserver), [200, 'ok']);
  assert.deepEqual(await get('/healthz', clients.admin), [200, 'ok']);
  assert.deepEqual(await get('/healthz', clients.node), [
    403,
    'Forbidden (user=system:node:other, verb=get, resource=nodes, subresource(s)=[healthz proxy])',
  ]);
  assert.deepEqual(await get('/healthz', clients.stranger), [401, 'Unauthorized']);
  assert.deepEqual(await get('/healthz', null), [401, 'Unauthorized']);
  assert.deepEqual(await get('/healthz', null, { authorization: 'Bearer bad' }), [401, 'Unauthorized']);
  assert.deepEqual(await get('/healthz', null, { authorization: 'Basic x' }), [401, 'Unauthorized']);
});

test('a token is let in as far as the API server says, for each path its own right', async (t) => {
  const { get } = await start(t);
  const asToken = (token: string) => ({ authorization: `Bearer ${token}` });
  assert.equal((await get('/metrics', null, asToken('scraper')))[0], 200);
  assert.deepEqual(await get('/pods', null, asToken('scraper')), [
    403,
    'Forbidden (user=scraper, verb=get, resource=nodes, subresource(s)=[pods proxy])',
  ]);
  assert.equal((await get('/run/shop/web/app?cmd=ls', null, asToken('scraper')))[0], 403);
  assert.equal((await get('/run/shop/web/app?cmd=ls', null, asToken('proxier')))[0], 200);
  assert.equal((await get('/pods', null, asToken('proxier')))[0], 200);
  assert.equal((await get('/metrics', null, asToken('proxier')))[0], 403, 'nodes/proxy is not nodes/metrics');
  assert.deepEqual(await get('/pods', null, asToken('broken')), [
    500,
    'Authorization error (user=broken, verb=get, resource=nodes, subresource(s)=[pods proxy])',
  ]);
});

test('a page beside its own is for whom nodes/proxy is, and only read', async (t) => {
  const { get, call } = await start(t);
  const asToken = (token: string) => ({ authorization: `Bearer ${token}` });
  assert.deepEqual(await get('/extra/b?a=1'), [200, '/extra/b 1']);
  assert.deepEqual(await get('/extra/b?a=1', null, asToken('proxier')), [200, '/extra/b 1']);
  assert.deepEqual(await get('/extra/b', null, asToken('scraper')), [
    403,
    'Forbidden (user=scraper, verb=get, resource=nodes, subresource(s)=[proxy])',
  ]);
  assert.equal((await get('/extra/b', clients.node))[0], 403);
  const [response] = (await once(call('/extra/b', clients.admin, { method: 'POST' }).end(), 'response')) as [
    IncomingMessage,
  ];
  assert.equal(response.resume().statusCode, 405);
});

test('log files are listed and read, and nothing outside their folder is', async (t) => {
  const { get, logs } = await start(t);
  mkdirSync(join(logs, 'a<b'));
  writeFileSync(join(logs, 'a<b', '0.log'), 'said\n');
  symlinkSync('/etc/passwd', join(logs, 'out'));
  symlinkSync(join(logs, 'a<b', '0.log'), join(logs, 'in'));
  assert.deepEqual(await get('/logs/'), [
    200,
    '<pre>\n<a href="a%3Cb/">a&#60;b/</a>\n<a href="in">in</a>\n<a href="out">out</a>\n</pre>\n',
  ]);
  assert.deepEqual(await get('/logs/a%3Cb/0.log'), [200, 'said\n']);
  assert.deepEqual(await get('/logs/in'), [200, 'said\n']);
  assert.equal((await get('/logs/a%3Cb'))[0], 301);
  for (const path of [
    '/logs/out',
    '/logs/..%2f..%2fetc%2fpasswd',
    '/logs/%2e%2e/',
    '/logs/none',
    '/logs/a%00',
    '/logs',
  ])
    assert.equal((await get(path))[0], 404, path);
});

test('pods, metrics and unknown paths', async (t) => {
  const { get } = await start(t);
  const [, list] = await get('/pods');
  assert.deepEqual(JSON.parse(list).items[0].metadata.name, 'web');
  const [, metrics] = await get('/metrics');
  assert.match(metrics, /^kubelet_running_pods 1$/m);
  assert.match(
    metrics,
    /^prober_probe_total\{container="app",namespace="shop",pod="web",pod_uid="u1",probe_type="Readiness",result="failed"\} 2$/m,
  );
  assert.deepEqual(await get('/nothing'), [404, '404 page not found']);
  assert.equal((await get('/containerLogs/%zz/a/b'))[0], 400);
  assert.equal((await get('/exec/shop/web/app?command=ls&output=1'))[0], 400);
});

test('logs are read, followed until the container ends, and refused with a reason', { timeout: 10_000 }, async (t) => {
  const { get, call, record, logPath } = await start(t);
  assert.deepEqual(await get('/containerLogs/shop/web/app'), [404, 'the log of container "app" in pod "web" is gone']);
  const line = (text: string) => `2026-01-01T00:00:00.000000001Z stdout F ${text}\n`;
  writeFileSync(logPath, line('a') + line('b'));
  assert.deepEqual(await get('/containerLogs/shop/web/app?tailLines=1'), [200, 'b\n']);
  assert.equal((await get('/containerLogs/shop/web/app?tailLines=x'))[0], 400);
  assert.deepEqual(await get('/containerLogs/shop/web/slow'), [
    400,
    'container "slow" in pod "web" is waiting to start: ErrImagePull',
  ]);
  assert.deepEqual(await get('/containerLogs/shop/web/app?previous=true'), [
    400,
    'previous terminated container "app" in pod "web" not found',
  ]);
  assert.equal((await get('/containerLogs/shop/web/none'))[0], 404);
  assert.deepEqual(await get('/containerLogs/shop/other/app'), [404, 'pod "other" not found']);

  const [response] = (await once(call('/containerLogs/shop/web/app?follow=true').end(), 'response')) as [
    IncomingMessage,
  ];
  response.setEncoding('utf8');
  let text = '';
  for await (const piece of response) {
    text += piece as string;
    if (text === 'a\nb\n') appendFileSync(logPath, line('c'));
    if (text.endsWith('c\n')) record.state = 'EXITED';
  }
  assert.equal(text, 'a\nb\nc\n');
});

test('who follows a silent container is answered at once', { timeout: 10_000 }, async (t) => {
  const { call, record, logPath } = await start(t);
  writeFileSync(logPath, '');
  const sent = call('/containerLogs/shop/web/app?follow=true').end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  record.state = 'EXITED';
  assert.equal((await response.toArray()).length, 0);
});

test('run gives a command’s output', async (t) => {
  const { get } = await start(t);
  assert.deepEqual(await get('/run/shop/web/app?cmd=ls%20-l'), [200, 'ran ls+-l']);
  assert.deepEqual(await get('/run/shop/web/app?cmd=fail'), [500, 'no such program']);
  assert.equal((await get('/run/shop/web/app'))[0], 400);
});

/** Asks for an upgrade; resolves to the answer, and the connection where there is one. */
async function upgradeTo(sent: ReturnType<typeof request>): Promise<{ response: IncomingMessage; socket?: Duplex }> {
  sent.end();
  return new Promise((resolve, reject) => {
    sent.on('upgrade', (response, socket) => {
      resolve({ response, socket });
    });
    sent.on('response', (response) => {
      resolve({ response });
    });
    sent.on('error', reject);
  });
}

test(
  'an exec is joined to the runtime byte by byte, and ends of stream travel on their own',
  { timeout: 10_000 },
  async (t) => {
    const { call, asked, serveStreams } = await start(t);
    let seen: IncomingMessage | undefined;
    await serveStreams((incoming, socket) => {
      seen = incoming;
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4\r\n\r\nfirst',
      );
      const hash = createHash('sha256');
      socket.on('data', (chunk: Buffer) => hash.update(chunk));
      // Answers only after the client has ended its side.
      socket.on('end', () => socket.end(hash.digest()));
    });
    const sent = call('/exec/shop/web/app?command=cat&command=-n&input=1&output=1&error=1', clients.apiserver, {
      method: 'POST',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        'X-Stream-Protocol-Version': ['v4.channel.k8s.io', 'v3.channel.k8s.io'],
        Authorization: 'Bearer secret',
      },
    });
    const { response, socket } = await upgradeTo(sent);
    assert.ok(socket);
    assert.deepEqual([response.statusCode, response.headers['x-stream-protocol-version']], [101, 'v4']);
    const data = randomBytes(3_000_000);
    socket.end(data);
    const answer = Buffer.concat((await socket.toArray()) as Buffer[]);
    assert.equal(answer.subarray(0, 5).toString(), 'first');
    assert.deepEqual(answer.subarray(5), createHash('sha256').update(data).digest());
    assert.deepEqual(asked, [
      ['exec', { containerId: 'c1', command: ['cat', '-n'], tty: false, stdin: true, stdout: true, stderr: true }],
    ]);
    assert.equal(seen?.headers.authorization, undefined);
    assert.equal(seen?.url, '/exec/TOKEN');
  },
);

test('attach asks for the terminal the container has, which has one output; port-forward reaches the sandbox', async (t) => {
  const { call, asked, serveStreams } = await start(t);
  await serveStreams((_, socket) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
  );
  const headers = { Connection: 'Upgrade', Upgrade: 'x' };
  for (const path of ['/attach/shop/web/app?stdin=true&stdout=true&stderr=true', '/portForward/shop/web?port=80']) {
    const { response, socket } = await upgradeTo(call(path, clients.apiserver, { method: 'POST', headers }));
    assert.equal(response.statusCode, 101);
    socket?.destroy();
  }
  assert.deepEqual(asked, [
    ['attach', { containerId: 'c1', tty: true, stdin: true, stdout: true, stderr: false }],
    ['portForward', 's1', [80]],
  ]);
});

test('an upgrade that cannot be is answered, and never reaches the runtime where it is not allowed', async (t) => {
  const { call, asked, record, serveStreams } = await start(t);
  await serveStreams((_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nnot this way'));
  const answerTo = async (path: string, who: Identity = clients.apiserver) => {
    const headers = { Connection: 'Upgrade', Upgrade: 'x' };
    const { response } = await upgradeTo(call(path, who, { method: 'POST', headers }));
    return [response.statusCode, Buffer.concat((await response.toArray()) as Buffer[]).toString()];
  };
  assert.equal((await answerTo('/exec/shop/web/app?command=ls&output=1', clients.node))[0], 403);
  assert.equal((await answerTo('/exec/shop/none/app?command=ls&output=1'))[0], 404);
  assert.equal((await answerTo('/exec/shop/web/app?command=ls'))[0], 400);
  assert.equal((await answerTo('/exec/shop/web/app?output=1'))[0], 400);
  assert.equal((await answerTo('/pods'))[0], 400);
  assert.deepEqual(asked, []);
  assert.deepEqual(await answerTo('/exec/shop/web/app?command=ls&output=1'), [403, 'not this way']);
  record.state = 'EXITED';
  assert.deepEqual(await answerTo('/exec/shop/web/app?command=ls&output=1'), [
    400,
    'container "app" in pod "web" is not running',
  ]);
});

test('stopping ends streams that are open', { timeout: 10_000 }, async (t) => {
  const { server, call, serveStreams } = await start(t);
  await serveStreams((_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    socket.on('error', () => undefined);
  });
  const headers = { Connection: 'Upgrade', Upgrade: 'x' };
  const { socket } = await upgradeTo(call('/portForward/shop/web', clients.apiserver, { method: 'POST', headers }));
  assert.ok(socket);
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await server.stop();
  await closed;
});

test('the API server reaches Pods of this node through it, and nothing else', { timeout: 10_000 }, async (t) => {
  const { call } = await start(t);
  const web = createServer((request, response) => response.end(`pod ${request.url ?? ''}`)).listen(0, '127.0.0.2');
  t.after(() => web.close());
  await once(web, 'listening');
  const { port } = web.address() as AddressInfo;
  const tunnel = async (path: string, who: Identity = clients.apiserver) => {
    const sent = call(path, who, { method: 'CONNECT', headers: { host: '127.0.0.1' } });
    const [response, socket, head] = (await once(sent.end(), 'connect')) as [IncomingMessage, Duplex, Buffer];
    socket.unshift(head);
    return { status: response.statusCode, socket };
  };
  const { status, socket } = await tunnel(`127.0.0.2:${String(port)}`);
  assert.equal(status, 200);
  socket.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(Buffer.concat((await socket.toArray()) as Buffer[]).toString(), /\r\n\r\n[\s\S]*pod \/x/);
  const refusals: [path: string, who: Identity, status: number, text: RegExp][] = [
    ['127.0.0.1:80', clients.apiserver, 403, /127\.0\.0\.1:80 is no address of a Pod of this node/],
    ['127.0.0.9:80', clients.apiserver, 403, /no address of a Pod/],
    ['127.0.0.2:0', clients.apiserver, 400, /no address and port/],
    ['localhost:80', clients.apiserver, 400, /no address and port/],
    ['127.0.0.2:1', clients.apiserver, 502, /dial tcp 127\.0\.0\.2:1: connect: connection refused/],
    [
      '127.0.0.2:1',
      clients.node,
      403,
      /Forbidden \(user=system:node:other, verb=create, resource=nodes, subresource\(s\)=\[proxy\]\)/,
    ],
  ];
  for (const [path, who, code, text] of refusals) {
    const refused = await tunnel(path, who);
    assert.equal(refused.status, code, path);
    assert.match(Buffer.concat((await refused.socket.toArray()) as Buffer[]).toString(), text);
  }
});

const routes: [path: string, expected: unknown][] = [
  ['/healthz', { type: 'healthz' }],
  ['/pods/', { type: 'pods' }],
  ['/logs/', { type: 'logFiles', path: '' }],
  ['/logs/a/b.log', { type: 'logFiles', path: 'a/b.log' }],
  ['/logs', undefined],
  ['/containerLogs/a/b/c', { type: 'logs', pod: { namespace: 'a', name: 'b' }, container: 'c' }],
  ['/exec/a/b/c', { type: 'exec', pod: { namespace: 'a', name: 'b' }, container: 'c' }],
  ['/exec/a/b/uid/c', { type: 'exec', pod: { namespace: 'a', name: 'b', uid: 'uid' }, container: 'c' }],
  ['/attach/a/b%2Fx/c', { type: 'attach', pod: { namespace: 'a', name: 'b/x' }, container: 'c' }],
  ['/portForward/a/b', { type: 'portForward', pod: { namespace: 'a', name: 'b' } }],
  ['/portForward/a/b/uid', { type: 'portForward', pod: { namespace: 'a', name: 'b', uid: 'uid' } }],
  ['/containerLogs/a/b', undefined],
  ['/containerLogs/a/b/u/c', undefined],
  ['/exec/a//c', undefined],
  ['/portForward/a', undefined],
  ['/pods/x', undefined],
  ['/', undefined],
];
for (const [path, expected] of routes) {
  test(`${path} is ${expected === undefined ? 'no route' : 'a route'}`, () => {
    assert.deepEqual(parseRoute(path), expected);
  });
}

test('only handshake headers go on to the runtime, a list of versions as one header each', () => {
  const rawHeaders = [
    ...['Host', 'x', 'Authorization', 'y', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'],
    ...['X-Stream-Protocol-Version', 'v4.channel.k8s.io, v3.channel.k8s.io', 'Cookie', 'z'],
  ];
  assert.deepEqual(handshakeHeaders({ rawHeaders }), [
    ...['connection', 'Upgrade', 'content-length', '0', 'upgrade', 'websocket', 'sec-websocket-key', 'k'],
    ...['x-stream-protocol-version', 'v4.channel.k8s.io', 'x-stream-protocol-version', 'v3.channel.k8s.io'],
  ]);
});
