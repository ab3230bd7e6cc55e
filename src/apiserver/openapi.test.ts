import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isStream } from './request.ts';
import { apiRequest, startTestApi, type TestApi } from '../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

test('v2 comes as JSON and as protobuf, with a tag that spares the second time (8-011)', async () => {
  const json = await api.request('GET', '/openapi/v2');
  assert.equal(json.json.swagger, '2.0');
  assert.equal(json.headers['content-type'], 'application/json');
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const protobuf = await api.request('GET', '/openapi/v2', { headers: { accept } });
  assert.equal(protobuf.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  assert.notEqual(protobuf.headers['etag'], json.headers['etag']);
  const again = await api.request('GET', '/openapi/v2', { headers: { 'if-none-match': String(json.headers['etag']) } });
  assert.equal(again.status, 304);
});

test('compressed for those who can read it', async () => {
  const { headers, body } = await api.handle(
    apiRequest('GET', '/openapi/v2', { headers: { 'accept-encoding': 'gzip' } }),
  );
  assert.equal(headers['content-encoding'], 'gzip');
  assert.ok(!isStream(body));
  assert.equal((JSON.parse(String(gunzipSync(Buffer.from(body as Uint8Array)))) as { swagger: string }).swagger, '2.0');
});

test('v3 has an index whose URLs may be kept; a wrong hash is sent to the right one (8-012)', async () => {
  const { json } = await api.request('GET', '/openapi/v3');
  const url = json.paths['apis/apps/v1'].serverRelativeURL as string;
  assert.match(url, /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]+$/);
  const document = await api.request('GET', url);
  assert.equal(document.json.openapi, '3.0.0');
  assert.match(String(document.headers['cache-control']), /immutable/);
  const wrong = await api.request('GET', '/openapi/v3/apis/apps/v1?hash=1');
  assert.deepEqual([wrong.status, wrong.headers['location']], [301, url]);
  const plain = await api.request('GET', '/openapi/v3/api/v1');
  assert.deepEqual([plain.status, plain.headers['expires']], [200, undefined]);
});

test('what is not there is 404', async () => {
  for (const path of ['/openapi/v3/apis/example.com/v1', '/openapi/v4', '/openapi/v2/more', '/openapi/v3/__proto__']) {
    assert.equal((await api.request('GET', path)).status, 404, path);
  }
});
