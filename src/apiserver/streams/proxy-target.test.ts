import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProxyable } from './backends.ts';
import { requestHeaders, responseHeaders, upgradeHeaders } from './proxy-headers.ts';
import { parseProxyTarget } from './proxy-target.ts';

const names: [text: string, secure: boolean, name: string, port: string][] = [
  ['web', false, 'web', ''],
  ['web:http', false, 'web', 'http'],
  ['web:80', false, 'web', '80'],
  ['https:web', true, 'web', ''],
  ['https:web:', true, 'web', ''],
  ['https:web:443', true, 'web', '443'],
  ['http:web:80', false, 'web', '80'],
  [':web:80', false, 'web', '80'],
];
for (const [text, secure, name, port] of names) {
  test(`${text} names ${name} (8-114)`, () => {
    assert.deepEqual(parseProxyTarget(text, 'service'), { secure, name, port });
  });
}
for (const text of ['', ':', 'ftp:web:80', 'a:b:c:d', 'https::80']) {
  test(`${JSON.stringify(text)} names nothing`, () => {
    assert.throws(() => parseProxyTarget(text, 'pod'), { message: `invalid pod request ${JSON.stringify(text)}` });
  });
}

test('addresses that mean another machine to everyone, and unicast ones only, may be reached', () => {
  for (const good of ['10.244.1.5', '192.168.0.1', '1.2.3.4', 'fd00::1', '2001:db8::1', '::ffff:10.0.0.1']) {
    assert.ok(isProxyable(good), good);
  }
  for (const bad of [
    ...['127.0.0.1', '127.9.9.9', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', 'localhost', ''],
    ...[
      '::1',
      '0:0:0:0:0:0:0:1',
      '::',
      'fe80::1',
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:169.254.1.1',
    ],
  ]) {
    assert.ok(!isProxyable(bad), bad);
  }
});

const where = { path: '/api/v1/namespaces/a/pods/b/proxy/c', remoteAddress: '10.0.0.9' };

test('a request keeps what is for the backend, and loses credentials and what is about the connection (8-119)', () => {
  const headers = {
    host: 'localhost:8001',
    authorization: 'Bearer secret',
    'impersonate-user': 'root',
    'x-remote-user': 'root',
    connection: 'keep-alive, X-Own',
    'x-own': '1',
    'keep-alive': '1',
    te: 'trailers',
    cookie: 'a=b',
    'content-length': '3',
    'x-forwarded-for': '192.0.2.1',
  };
  assert.deepEqual(requestHeaders(headers, where), {
    host: 'localhost:8001',
    cookie: 'a=b',
    'content-length': '3',
    'x-forwarded-for': '192.0.2.1, 10.0.0.9',
    'x-forwarded-host': 'localhost:8001',
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': where.path,
  });
  const upgraded = upgradeHeaders({ upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-key': 'k' }, where);
  assert.deepEqual(
    [upgraded.upgrade, upgraded.connection, (upgraded as Record<string, unknown>)['sec-websocket-key']],
    ['websocket', 'Upgrade', 'k'],
  );
});

test('an answer keeps its cookies, and does not open the API server to other sites', () => {
  const headers = {
    'set-cookie': ['a=1', 'b=2'],
    'access-control-allow-origin': '*',
    'transfer-encoding': 'chunked',
    connection: 'close',
    etag: 'x',
  };
  assert.deepEqual(responseHeaders(headers), { 'set-cookie': ['a=1', 'b=2'], etag: 'x' });
});
