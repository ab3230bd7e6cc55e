import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import type { KubeObject } from '../api/types.ts';

let api: TestApi;
const MAPS = '/api/v1/namespaces/list/configmaps';
const SECRETS = '/api/v1/namespaces/list/secrets';
before(async () => {
  api = await startTestApi();
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'list' } } });
  for (let index = 0; index < 25; index++) {
    const labels = { parity: index % 2 === 0 ? 'even' : 'odd', ...(index < 3 && { small: '' }) };
    await create(String(index).padStart(2, '0'), labels);
  }
  await api.request('POST', SECRETS, { body: { metadata: { name: 'tls' }, type: 'example.com/tls' } });
  await api.request('POST', SECRETS, { body: { metadata: { name: 'plain' } } });
});
after(() => api.stop());

const create = (name: string, labels: object = {}) =>
  api.request('POST', MAPS, { body: { metadata: { name, labels } } });
const names = (list: { items: KubeObject[] }) => list.items.map(({ metadata }) => metadata.name);
const get = (query: Record<string, string>, path = MAPS) => api.request('GET', path, { query });

const selectors: [query: Record<string, string>, count: number][] = [
  [{}, 25],
  [{ labelSelector: 'parity=even' }, 13],
  [{ labelSelector: 'parity!=even' }, 12],
  [{ labelSelector: 'parity in (odd,even),small' }, 3],
  [{ labelSelector: '!small' }, 22],
  [{ labelSelector: 'parity notin (odd)' }, 13],
  [{ fieldSelector: 'metadata.name=07' }, 1],
  [{ fieldSelector: 'metadata.name!=07' }, 24],
  [{ fieldSelector: 'metadata.namespace=other' }, 0],
  [{ labelSelector: 'parity=odd', fieldSelector: 'metadata.name=08' }, 0],
];
for (const [query, count] of selectors) {
  test(`${JSON.stringify(query)} finds ${String(count)}`, async () => {
    const { json } = await get(query);
    assert.equal(json.items.length, count);
    assert.deepEqual(names(json), names(json).sort(), 'in the order of their names (8-056)');
  });
}

test('fields of a kind select (8-058)', async () => {
  assert.deepEqual(names((await get({ fieldSelector: 'type=example.com/tls' }, SECRETS)).json), ['tls']);
});

test('pages are one snapshot, whatever is written between them (8-055)', async () => {
  const first = (await get({ limit: '10' })).json;
  assert.deepEqual([first.items.length, first.metadata.remainingItemCount], [10, 15]);
  await create('05-later');
  await api.request('DELETE', `${MAPS}/24`);
  const second = (await get({ limit: '10', continue: first.metadata.continue })).json;
  const third = (await get({ limit: '10', continue: second.metadata.continue })).json;
  assert.deepEqual([second.metadata.remainingItemCount, third.metadata.continue], [5, undefined]);
  const all = [first, second, third].flatMap(names);
  assert.deepEqual(
    all,
    Array.from({ length: 25 }, (_, index) => String(index).padStart(2, '0')),
  );
  assert.equal(third.metadata.resourceVersion, first.metadata.resourceVersion);
  await api.request('DELETE', `${MAPS}/05-later`);
  await create('24', { parity: 'even' });
});

test('pages with a selector count matches, and do not say how many remain', async () => {
  const found: string[] = [];
  let token = '';
  do {
    const { json } = await get({ labelSelector: 'parity=odd', limit: '5', ...(token && { continue: token }) });
    assert.ok(json.items.length <= 5);
    assert.equal(json.metadata.remainingItemCount, undefined);
    found.push(...names(json));
    token = json.metadata.continue ?? '';
  } while (token !== '');
  assert.equal(found.length, 12);
});

test('a token older than the kept past is 410, with one that goes on inconsistently', async () => {
  const { json } = await get({ limit: '20' });
  await create('25');
  await api.store.compact(api.store.revision());
  const stale = await get({ limit: '20', continue: json.metadata.continue });
  assert.deepEqual([stale.status, stale.json.reason], [410, 'Expired']);
  const rest = await get({ continue: stale.json.metadata.continue });
  assert.deepEqual(names(rest.json), ['20', '21', '22', '23', '24', '25']);
  await api.request('DELETE', `${MAPS}/25`);
});

for (const token of [
  'x',
  '!!!',
  Buffer.from('{}').toString('base64url'),
  Buffer.from('{"v":"meta.k8s.io/v1","rv":-5,"start":"a"}').toString('base64url'),
]) {
  test(`the token ${token} is refused`, async () => {
    const { status, json } = await get({ limit: '5', continue: token });
    assert.deepEqual([status, json.reason], [400, 'BadRequest']);
    assert.match(json.message, /continue key is not valid/);
  });
}

test('an exact past state can be listed, until it is gone (8-045)', async () => {
  const before = String(api.store.revision());
  await create('exact');
  const exact = { resourceVersion: before, resourceVersionMatch: 'Exact' };
  const { json } = await get(exact);
  assert.deepEqual([names(json).includes('exact'), json.metadata.resourceVersion], [false, before]);
  assert.ok(
    names((await get({ resourceVersion: before })).json).includes('exact'),
    'not older than is enough by default',
  );
  await api.store.compact(api.store.revision());
  assert.equal((await get(exact)).status, 410);
  await api.request('DELETE', `${MAPS}/exact`);
});

const rules: [query: Record<string, string>, code: number, text: RegExp][] = [
  [{ resourceVersionMatch: 'Exact' }, 422, /forbidden unless resourceVersion is provided/],
  [{ resourceVersionMatch: 'Exact', resourceVersion: '0' }, 422, /"exact" is forbidden for resourceVersion "0"/],
  [{ resourceVersionMatch: 'Exact', resourceVersion: '1', continue: 'x' }, 422, /forbidden when continue is provided/],
  [{ resourceVersionMatch: 'Best', resourceVersion: '1' }, 422, /Unsupported value: "Best"/],
  [{ resourceVersion: 'x' }, 400, /resourceVersion: Invalid value: "x"/],
  [{ limit: '-1' }, 400, /limit/],
  [{ sendInitialEvents: 'true' }, 422, /sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list/],
  [
    { watch: '1', sendInitialEvents: 'true' },
    422,
    /resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
  ],
  [
    { watch: '1', sendInitialEvents: 'true', resourceVersionMatch: 'Exact' },
    422,
    /Unsupported value: "Exact": supported values: "NotOlderThan"/,
  ],
  [
    { watch: '1', resourceVersionMatch: 'NotOlderThan' },
    422,
    /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
  ],
];
for (const [query, code, text] of rules) {
  test(`${JSON.stringify(query)} is refused`, async () => {
    const { status, json } = await get(query);
    assert.equal(status, code);
    assert.match(json.message, text);
  });
}
