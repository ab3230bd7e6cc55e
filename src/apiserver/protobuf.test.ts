/** Bodies in protobuf through the whole server: the verbs that take one, and bytes that are none. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { apiRequest, startTestApi, type TestApi } from '../../test/support/api.ts';
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from '../api/kinds.ts';
import { bytes, envelope, field, numberField } from '../api/protobuf/testing.ts';
import type { Deployment, Pod } from '../api/types.ts';
import { isStream } from './request.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const NS = '/api/v1/namespaces/default';

interface Answer {
  status: number;
  contentType: unknown;
  json: { kind?: string; reason?: string; message?: string; spec?: object };
}

async function send(method: string, path: string, body: Uint8Array): Promise<Answer> {
  const headers = {
    'content-type': 'application/vnd.kubernetes.protobuf',
    accept: 'application/vnd.kubernetes.protobuf,application/json',
  };
  const answer = await api.handle({ ...apiRequest(method, path, { headers }), body: Buffer.from(body) });
  assert(!isStream(answer.body));
  const json = JSON.parse(Buffer.from(answer.body as Uint8Array).toString()) as Answer['json'];
  return { status: answer.status, contentType: answer.headers['content-type'], json };
}

const named = (name: string, ...more: Uint8Array[]) => field(1, bytes(field(1, name), ...more));
const configMap = (name: string, text: string) =>
  envelope('v1', 'ConfigMap', bytes(named(name), field(2, bytes(field(1, 'key'), field(2, text)))));

const labels = (number: number) => field(number, bytes(field(1, 'app'), field(2, 'web')));
const template = bytes(field(1, labels(11)), field(2, field(2, bytes(field(1, 'c'), field(2, 'nginx')))));
const deployment = (name: string, replicas: number) => {
  const spec = bytes(numberField(1, replicas), field(2, labels(1)), field(3, template));
  return envelope('apps/v1', 'Deployment', bytes(named(name), field(2, spec)));
};
const scale = (name: string, replicas: number) =>
  envelope('autoscaling/v1', 'Scale', bytes(named(name, field(3, 'default')), field(2, numberField(1, replicas))));

test('a body in protobuf is created, replaced, and answered in JSON', async () => {
  const created = await send('POST', `${NS}/configmaps`, configMap('made', 'one'));
  assert.deepEqual([created.status, created.contentType, created.json.kind], [201, 'application/json', 'ConfigMap']);
  assert.equal((await send('PUT', `${NS}/configmaps/made`, configMap('made', 'two'))).status, 200);
  assert.deepEqual((await api.client.get(CONFIG_MAPS, 'made', 'default')).data, { key: 'two' });
});

test('a subresource takes one too', async () => {
  const path = '/apis/apps/v1/namespaces/default/deployments';
  assert.equal((await send('POST', path, deployment('web', 0))).status, 201);
  const replicas = async () => (await api.client.get<Deployment>(DEPLOYMENTS, 'web', 'default')).spec.replicas;
  assert.equal(await replicas(), 0);
  assert.equal((await send('PUT', `${path}/web/scale`, scale('web', 4))).status, 200);
  assert.equal(await replicas(), 4);
});

test('evictions and options of a deletion are read', async () => {
  const pod = (name: string): Pod => ({
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'node01', containers: [{ name: 'c', image: 'i' }] },
  });
  const now = numberField(1, 0);
  await api.client.create(PODS, pod('evicted'));
  const eviction = envelope('policy/v1', 'Eviction', bytes(named('evicted', field(3, 'default')), field(2, now)));
  assert.equal((await send('POST', `${NS}/pods/evicted/eviction`, eviction)).status, 201);
  await api.client.create(PODS, pod('deleted'));
  const other = envelope('v1', 'DeleteOptions', bytes(now, field(2, field(1, 'another-uid'))));
  assert.equal((await send('DELETE', `${NS}/pods/deleted`, other)).status, 409);
  assert.equal((await send('DELETE', `${NS}/pods/deleted`, envelope('v1', 'DeleteOptions', now))).status, 200);
  assert.deepEqual((await api.client.list(PODS)).items, []);
});

const refusals: [what: string, method: string, path: string, body: Uint8Array, status: number, message: RegExp][] = [
  ['another kind', 'POST', `${NS}/services`, configMap('a', 'b'), 400, /must be of type Service/],
  ['JSON under the wrong name', 'POST', `${NS}/configmaps`, bytes('{"kind":"ConfigMap"}'), 400, /expected prefix/],
  [
    'no name',
    'POST',
    `${NS}/configmaps`,
    envelope('v1', 'ConfigMap', bytes()),
    422,
    /name or generateName is required/,
  ],
  ['a patch', 'PATCH', `${NS}/configmaps/made`, configMap('made', 'x'), 415, /unknown format/],
];
for (const [what, method, path, body, status, message] of refusals) {
  test(`${what} in protobuf is refused with ${status}`, async () => {
    const answer = await send(method, path, body);
    assert.deepEqual([answer.status, answer.json.kind], [status, 'Status']);
    assert.match(answer.json.message ?? '', message);
  });
}

test('no bytes make the server fail', async () => {
  const whole = deployment('fuzz', 1);
  const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }));
  const changed = fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const copy = Buffer.from(whole);
    for (const [at, byte] of changes) copy[at] = byte;
    return copy;
  });
  const cut = fc.nat({ max: whole.length }).map((length) => whole.subarray(0, length));
  const any = fc.uint8Array({ maxLength: 80 }).map((raw) => envelope('apps/v1', 'Deployment', raw));
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed, cut, any, fc.uint8Array({ maxLength: 40 })), async (body) => {
      const path = '/apis/apps/v1/namespaces/default/deployments?dryRun=All';
      const { status } = await send('POST', path, body);
      assert(status < 500, `${status} for ${Buffer.from(body).toString('hex')}`);
    }),
    { numRuns: 500 },
  );
});
