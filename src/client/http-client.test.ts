import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ApiError, isConflict, isExpired, isNotFound } from '../api/api-error.ts';
import { ENDPOINT_SLICES, NODES, PODS } from '../api/kinds.ts';
import type { Pod } from '../api/types.ts';
import { ensureCertificates, pkiPaths } from '../cluster/certificates.ts';
import { createHttpClient } from './http-client.ts';
import { startInformer } from './informer.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server on loopback that records what it is asked. */
async function serve(context: TestContext, handler: Handler) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      handler(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const client = createHttpClient({ server: url, token: 'secret', userAgent: 'test/1' });
  context.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return { client, asked, server, url };
}

const json = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
const pod = (name: string): Pod => ({ metadata: { name, namespace: 'shop' }, spec: { containers: [] } });

test('each method asks for its own path', async (context) => {
  const { client, asked } = await serve(context, (_request, response) => {
    json(response, 200, { metadata: { resourceVersion: '5' }, items: [] });
  });
  await client.get(PODS, 'a', 'shop');
  await client.get(NODES, 'n/1');
  await client.list(PODS);
  await client.list(ENDPOINT_SLICES, {
    namespace: 'shop',
    labelSelector: 'a=b',
    fieldSelector: 'c=d',
    limit: 2,
    continue: 'x=',
  });
  await client.create(PODS, pod('a'));
  await client.create(PODS, pod('a'), { subresource: 'binding' });
  await client.update(PODS, pod('a'), { subresource: 'status' });
  await client.patch(PODS, 'a', 'shop', 'strategic', {});
  await client.delete(PODS, 'a', 'shop');
  assert.deepEqual(asked, [
    'GET /api/v1/namespaces/shop/pods/a',
    'GET /api/v1/nodes/n%2F1',
    'GET /api/v1/pods',
    'GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=a%3Db&fieldSelector=c%3Dd&limit=2&continue=x%3D',
    'POST /api/v1/namespaces/shop/pods',
    'POST /api/v1/namespaces/shop/pods/a/binding',
    'PUT /api/v1/namespaces/shop/pods/a/status',
    'PATCH /api/v1/namespaces/shop/pods/a',
    'DELETE /api/v1/namespaces/shop/pods/a',
  ]);
  await assert.rejects(client.get(PODS, '', 'shop'), /needs a name/);
  await assert.rejects(client.get(PODS, 'a'), /needs a namespace/);
});

test('bodies and headers are what the API expects', async (context) => {
  const seen: unknown[] = [];
  const { client } = await serve(context, ({ headers }, response, body) => {
    seen.push([headers['content-type'], headers.authorization, headers['user-agent'], JSON.parse(body)]);
    json(response, 200, {});
  });
  await client.create(PODS, pod('a'));
  await client.patch(PODS, 'a', 'shop', 'merge', { x: null });
  await client.delete(PODS, 'a', 'shop', { gracePeriodSeconds: 0, preconditions: { uid: 'u' } });
  const known = ['Bearer secret', 'test/1'];
  assert.deepEqual(seen, [
    ['application/json', ...known, { ...pod('a'), apiVersion: 'v1', kind: 'Pod' }],
    ['application/merge-patch+json', ...known, { x: null }],
    [
      'application/json',
      ...known,
      { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid: 'u' } },
    ],
  ]);
});

test('objects of a list say what they are', async (context) => {
  const { client } = await serve(context, (_request, response) => {
    json(response, 200, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '5' }, items: [pod('a')] });
  });
  const { items, metadata } = await client.list(PODS);
  assert.deepEqual([items[0]?.kind, items[0]?.apiVersion, metadata.resourceVersion], ['Pod', 'v1', '5']);
});

const refusals: [string, number, string, Partial<ApiError['status']>][] = [
  [
    'a Status',
    404,
    '{"kind":"Status","reason":"NotFound","message":"pods \\"a\\" not found","code":404}',
    { reason: 'NotFound', message: 'pods "a" not found' },
  ],
  [
    'a Status without a code',
    409,
    '{"kind":"Status","reason":"Conflict","message":"x"}',
    { reason: 'Conflict', code: 409 },
  ],
  ['plain text', 503, 'upstream is away\n', { reason: 'ServiceUnavailable', message: 'upstream is away' }],
  ['nothing', 401, '', { reason: 'Unauthorized', message: 'the server answered 401' }],
  ['other JSON', 500, '{"error":1}', { reason: 'InternalError', message: '{"error":1}' }],
];
for (const [name, status, body, expected] of refusals) {
  test(`an answer of ${String(status)} with ${name} is an ApiError`, async (context) => {
    const { client } = await serve(context, (_request, response) => {
      response.writeHead(status).end(body);
    });
    await assert.rejects(client.get(PODS, 'a', 'shop'), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual({ ...error.status, ...expected, code: status }, error.status);
      assert.equal(isNotFound(error), status === 404);
      assert.equal(isConflict(error), status === 409);
      return true;
    });
  });
}

test('no answer is an Error that names the request and keeps the cause', async (context) => {
  const { client, server, url } = await serve(context, () => {});
  server.close();
  await new Promise((resolve) => server.once('close', resolve));
  await assert.rejects(client.get(PODS, 'a', 'shop'), (error: Error) => {
    assert.ok(!(error instanceof ApiError));
    assert.ok(
      error.message.startsWith(`GET ${url}/api/v1/namespaces/shop/pods/a: connect ECONNREFUSED`),
      error.message,
    );
    assert.equal((error.cause as { code?: string }).code, 'ECONNREFUSED');
    return true;
  });
});

test('a server that says nothing is given up', async (context) => {
  const { client } = await serve(context, () => {});
  await assert.rejects(client.raw('GET', '/healthz', { timeoutMs: 20 }), /GET .*\/healthz: no answer for 0.02 s/);
});

test('an answer that is no JSON is an Error', async (context) => {
  const { client } = await serve(context, (_request, response) => response.end('<html>'));
  await assert.rejects(client.get(PODS, 'a', 'shop'), /GET .*: the answer is not JSON/);
});

const event = (type: string, name: string, version: string) =>
  `${JSON.stringify({ type, object: { ...pod(name), metadata: { name, namespace: 'shop', resourceVersion: version } } })}\n`;

test('a watch yields its events as they come and ends when the server ends it', async (context) => {
  const { client, asked } = await serve(context, (_request, response) => {
    const lines = Buffer.from(event('ADDED', 'a', '6') + event('BOOKMARK', '', '9') + event('DELETED', 'é', '10'));
    const cut = lines.length - 30;
    response.write(lines.subarray(0, cut));
    setImmediate(() => response.end(lines.subarray(cut)));
  });
  const seen: string[] = [];
  for await (const { type, object } of client.watch(PODS, {
    resourceVersion: '5',
    allowWatchBookmarks: true,
    timeoutSeconds: 9,
  })) {
    seen.push(`${type} ${object.metadata.name}`);
  }
  assert.deepEqual(seen, ['ADDED a', 'BOOKMARK ', 'DELETED é']);
  assert.deepEqual(asked, ['GET /api/v1/pods?watch=true&resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=9']);
});

test('an ERROR event is thrown', async (context) => {
  const { client } = await serve(context, (_request, response) => {
    const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 5 (9)' };
    response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
  });
  await assert.rejects(client.watch(PODS, { resourceVersion: '5' })[Symbol.asyncIterator]().next(), isExpired);
});

test('an aborted watch ends quietly, and its connection with it', async (context) => {
  const closed = Promise.withResolvers<void>();
  const { client } = await serve(context, (request, response) => {
    request.socket.on('close', () => {
      closed.resolve();
    });
    response.write(event('ADDED', 'a', '6'));
  });
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { object } of client.watch(PODS, { signal: stop.signal })) {
    seen.push(object.metadata.name);
    stop.abort();
  }
  await closed.promise;
  assert.deepEqual(seen, ['a']);
});

test('a watch cut off in the middle of a line is an Error, not an end', async (context) => {
  const { client } = await serve(context, (_request, response) => {
    response.write(event('ADDED', 'a', '6') + '{"type":"ADD');
    setTimeout(() => response.destroy(), 10);
  });
  const watch = client.watch(PODS)[Symbol.asyncIterator]();
  assert.equal(((await watch.next()).value as { type: string }).type, 'ADDED');
  await assert.rejects(watch.next(), /^Error: GET .*watch=true: /);
});

test('an informer over HTTP lists in pages, watches, and reconnects from where it was', async (context) => {
  let watches = 0;
  const { client, asked } = await serve(context, (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (!url.searchParams.has('watch')) {
      const more = !url.searchParams.has('continue');
      json(response, 200, {
        metadata: { resourceVersion: '5', ...(more && { continue: 'next' }) },
        items: [pod(more ? 'a' : 'b')],
      });
    } else if ((watches += 1) === 1) {
      response.end(event('ADDED', 'c', '6'));
    } else response.write(event('DELETED', 'a', '7'));
  });
  const informer = startInformer(client, PODS);
  const gone = new Promise<void>((resolve) => {
    informer.onChange(({ type }) => {
      if (type === 'deleted') resolve();
    });
  });
  await gone;
  informer.stop();
  assert.deepEqual(
    informer
      .list()
      .map(({ metadata }) => metadata.name)
      .sort(),
    ['b', 'c'],
  );
  const versions = asked
    .filter((line) => line.includes('watch'))
    .map((line) => /resourceVersion=(\d+)/.exec(line)?.[1]);
  assert.deepEqual(versions, ['5', '6']);
});

test('the client shows its certificate and checks the server against the given authority', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-tls-'));
  context.after(() => {
    rmSync(folder, { recursive: true });
  });
  await ensureCertificates(
    folder,
    [
      { file: 'server', commonName: 'kube-apiserver', use: 'server', ips: ['127.0.0.1'] },
      { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
    ],
    Date.now(),
  );
  const paths = pkiPaths(folder);
  const read = (path: string) => readFileSync(path, 'utf8');
  const server = createTlsServer(
    { ca: read(paths.ca), cert: read(paths.cert('server')), key: read(paths.key('server')), requestCert: true },
    (request, response) => {
      const peer = (
        request.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } }
      ).getPeerCertificate();
      json(response, 200, { metadata: { name: peer.subject?.CN ?? 'nobody' } });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const admin = createHttpClient({
    server: url,
    ca: read(paths.ca),
    cert: read(paths.cert('admin')),
    key: read(paths.key('admin')),
  });
  const stranger = createHttpClient({ server: url });
  context.after(() => {
    admin.close();
    stranger.close();
    server.closeAllConnections();
    server.close();
  });
  assert.equal((await admin.get(NODES, 'x')).metadata.name, 'kubernetes-admin');
  await assert.rejects(stranger.get(NODES, 'x'), /unable to verify|self-signed/);
});
