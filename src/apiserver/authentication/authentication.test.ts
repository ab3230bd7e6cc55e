import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startTestApi, type Knock, type TestApi } from '../../../test/support/api.ts';
import { FakeClock } from '../../lib/clock.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { HeaderPairs } from './impersonate.ts';

const START = Date.parse('2026-11-28T12:00:00Z');
const clock = new FakeClock(START);
let api: TestApi;
before(async () => {
  api = await startTestApi({ clock });
});
after(() => api.stop());

const base64 = (text: string) => Buffer.from(text).toString('base64');
const cert = (CN: string, ...O: string[]): Knock => ({ peer: { subject: { CN, O } } });
const bearer = (token: string): Knock => ({ headers: { authorization: `Bearer ${token}` } });

async function make(path: string, body: object): Promise<void> {
  const { status, text } = await api.request('POST', path, { body });
  assert.equal(status, 201, text);
}

/** Who the server takes it for: the user name, or the refusal. */
async function whoAmI(knock: Knock, from: TestApi = api): Promise<string> {
  const { status, json } = await from.knock('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    ...knock,
    body: {},
  });
  return status === 201 ? (json.status.userInfo.username as string) : `${String(status)} ${String(json.message)}`;
}

const stranger =
  '403 selfsubjectreviews.authentication.k8s.io is forbidden: User "system:anonymous" cannot create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope';

const credentials: [title: string, knock: Knock, who: string][] = [
  ['a certificate', cert('jane', 'people'), 'jane'],
  ['no credentials', {}, stranger],
  ['a certificate without a name', cert(''), stranger],
  ['a certificate of strangers', { peer: { isUntrusted: true } }, '401 Unauthorized'],
  ['nonsense', bearer('nonsense'), '401 Unauthorized'],
  ['three parts of nonsense', bearer('a.b.c'), '401 Unauthorized'],
  ['a bootstrap token of nobody', bearer('abcdef.0123456789abcdef'), '401 Unauthorized'],
  ['a password', { headers: { authorization: 'Basic YTpi' } }, '401 Unauthorized'],
  ['an empty bearer', { headers: { authorization: 'Bearer ' } }, '401 Unauthorized'],
  ['a certificate and a bad token', { ...cert('jane'), ...bearer('nonsense') }, 'jane'],
];
for (const [title, knock, who] of credentials) {
  test(`${title}: ${who.slice(0, 40)}`, async () => {
    assert.equal(await whoAmI(knock), who);
  });
}

async function tokenFor(from: TestApi, account: string, spec: object = {}): Promise<string> {
  const path = `/api/v1/namespaces/default/serviceaccounts/${account}/token`;
  const { status, json, text } = await from.request('POST', path, { body: { spec } });
  assert.equal(status, 201, text);
  return json.status.token as string;
}

test('a certificate of strangers does not spoil a good token', async () => {
  const token = await tokenFor(api, 'default');
  const knock = { peer: { isUntrusted: true }, ...bearer(token) };
  assert.equal(await whoAmI(knock), 'system:serviceaccount:default:default');
});

test('a token ends at its time', async () => {
  const token = await tokenFor(api, 'default', { expirationSeconds: 600 });
  clock.advance(599_000);
  assert.equal(await whoAmI(bearer(token)), 'system:serviceaccount:default:default');
  clock.advance(1_000);
  assert.equal(await whoAmI(bearer(token)), '401 Unauthorized');
});

test('a token for another audience is none here, and TokenReview knows it for that audience', async () => {
  const token = await tokenFor(api, 'default', { audiences: ['vault'] });
  assert.equal(await whoAmI(bearer(token)), '401 Unauthorized');
  const review = async (spec: object) =>
    (await api.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body: { spec } })).json.status;
  const good = await review({ token, audiences: ['vault', 'other'] });
  assert.deepEqual(
    [good.authenticated, good.audiences, good.user.username],
    [true, ['vault'], 'system:serviceaccount:default:default'],
  );
  assert.deepEqual(await review({ token }), { authenticated: false, user: {}, error: 'invalid bearer token' });
  const empty = await api.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body: { spec: {} } });
  assert.equal(empty.json.message, 'token is required for TokenReview in authentication');
});

test('a token bound to a Secret or a Node ends with it', async () => {
  await make('/api/v1/namespaces/default/secrets', { metadata: { name: 'anchor' } });
  await make('/api/v1/nodes', { metadata: { name: 'n1' } });
  const toSecret = await tokenFor(api, 'default', {
    boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'anchor' },
  });
  const toNode = await tokenFor(api, 'default', { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: 'n1' } });
  const who = async () => [await whoAmI(bearer(toSecret)), await whoAmI(bearer(toNode))];
  assert.deepEqual(await who(), Array(2).fill('system:serviceaccount:default:default'));
  await api.request('DELETE', '/api/v1/namespaces/default/secrets/anchor');
  await api.request('DELETE', '/api/v1/nodes/n1');
  assert.deepEqual(await who(), Array(2).fill('401 Unauthorized'));
});

test('while a Pod ends its token is good, until a minute after its grace', async () => {
  await make('/api/v1/namespaces/default/pods', {
    metadata: { name: 'ending', finalizers: ['example.com/hold'] },
    spec: { nodeName: 'n', terminationGracePeriodSeconds: 30, containers: [{ name: 'c', image: 'i' }] },
  });
  const token = await tokenFor(api, 'default', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'ending' } });
  await api.request('DELETE', '/api/v1/namespaces/default/pods/ending');
  clock.advance(89_000);
  assert.equal(await whoAmI(bearer(token)), 'system:serviceaccount:default:default');
  clock.advance(2_000);
  assert.equal(await whoAmI(bearer(token)), '401 Unauthorized');
});

test('an account of the same name is another one', async () => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  await make(accounts, { metadata: { name: 'again' } });
  const token = await tokenFor(api, 'again');
  await api.request('DELETE', `${accounts}/again`);
  await make(accounts, { metadata: { name: 'again' } });
  assert.equal(await whoAmI(bearer(token)), '401 Unauthorized');
});

const pem = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

test('after a change of keys tokens of the old one are good where it is still believed', async () => {
  const store = createMemoryStore();
  store.close = () => Promise.resolve();
  const [before, now] = [pem(), pem()];
  const run = async (serviceAccountKey: string, ...serviceAccountVerifyingKeys: string[]) =>
    await startTestApi({ store, serviceAccountKey, serviceAccountVerifyingKeys });
  const first = await run(before);
  const old = await tokenFor(first, 'default');
  await first.stop();
  const second = await run(now, before);
  const name = 'system:serviceaccount:default:default';
  const fresh = await tokenFor(second, 'default');
  assert.deepEqual([await whoAmI(bearer(old), second), await whoAmI(bearer(fresh), second)], [name, name]);
  const { json } = await second.request('GET', '/openid/v1/jwks');
  assert.equal(json.keys.length, 2);
  for (const token of [old, fresh]) await jwtVerify(token, createLocalJWKSet(json));
  assert.notEqual(decodeProtectedHeader(old).kid, decodeProtectedHeader(fresh).kid);
  await second.stop();
  const third = await run(now);
  assert.deepEqual([await whoAmI(bearer(old), third), await whoAmI(bearer(fresh), third)], ['401 Unauthorized', name]);
  await third.stop();
});

const secrets = '/api/v1/namespaces/default/secrets';
const filled = async (name: string): Promise<Record<string, string>> => {
  for (;;) {
    const { json } = await api.request('GET', `${secrets}/${name}`);
    if (json.data?.token) return json.data as Record<string, string>;
    await new Promise(setImmediate);
  }
};
const tokenSecret = (name: string, account: string) => ({
  metadata: { name, annotations: { 'kubernetes.io/service-account.name': account } },
  type: 'kubernetes.io/service-account-token',
});

test('a Secret for a token gets one, which is good as long as both are there', async () => {
  await make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'legacy' } });
  await make(secrets, tokenSecret('legacy-token', 'legacy'));
  await make(secrets, tokenSecret('second-token', 'legacy'));
  const data = await filled('legacy-token');
  assert.equal(Buffer.from(data['namespace'] ?? '', 'base64').toString(), 'default');
  assert.match(Buffer.from(data['ca.crt'] ?? '', 'base64').toString(), /BEGIN CERTIFICATE/);
  const token = Buffer.from(data['token'] ?? '', 'base64').toString();
  const second = Buffer.from((await filled('second-token'))['token'] ?? '', 'base64').toString();
  clock.advance(10 * 365 * 24 * 3_600_000);
  assert.equal(await whoAmI(bearer(token)), 'system:serviceaccount:default:legacy');
  await api.request('DELETE', `${secrets}/legacy-token`);
  assert.equal(await whoAmI(bearer(token)), '401 Unauthorized');
  assert.equal(await whoAmI(bearer(second)), 'system:serviceaccount:default:legacy');
  await api.request('DELETE', '/api/v1/namespaces/default/serviceaccounts/legacy');
  assert.equal(await whoAmI(bearer(second)), '401 Unauthorized');
  while ((await api.request('GET', `${secrets}/second-token`)).status !== 404) await new Promise(setImmediate);
});

test('one that names no account that is there goes', async () => {
  await make(secrets, tokenSecret('orphan', 'nobody'));
  while ((await api.request('GET', `${secrets}/orphan`)).status !== 404) await new Promise(setImmediate);
});

const ID = 'abcdef';
const SECRET = '0123456789abcdef';
const bootstrap = (data: Record<string, string> = {}, more: object = {}) => ({
  metadata: { name: `bootstrap-token-${ID}` },
  type: 'bootstrap.kubernetes.io/token',
  data: Object.fromEntries(
    Object.entries({ 'token-id': ID, 'token-secret': SECRET, 'usage-bootstrap-authentication': 'true', ...data }).map(
      ([key, value]) => [key, base64(value)],
    ),
  ),
  ...more,
});

const later = new Date(START + 1000 * 365 * 24 * 3_600_000).toISOString();
const bootstraps: [title: string, secret: object, token: string, isGood: boolean][] = [
  ['one as it should be', bootstrap(), `${ID}.${SECRET}`, true],
  ['one for a while', bootstrap({ expiration: later }), `${ID}.${SECRET}`, true],
  ['another secret', bootstrap(), `${ID}.0123456789abcdeX`, false],
  ['another secret of the right form', bootstrap(), `${ID}.0123456789abcdee`, false],
  ['one that is over', bootstrap({ expiration: '2020-01-01T00:00:00Z' }), `${ID}.${SECRET}`, false],
  ['one whose end cannot be read', bootstrap({ expiration: 'tomorrow' }), `${ID}.${SECRET}`, false],
  ['one not meant for this', bootstrap({ 'usage-bootstrap-authentication': 'false' }), `${ID}.${SECRET}`, false],
  ['one of another id', bootstrap({ 'token-id': 'fedcba' }), `${ID}.${SECRET}`, false],
  ['one of another type', { ...bootstrap(), type: 'Opaque' }, `${ID}.${SECRET}`, false],
  ['a group beyond its own', bootstrap({ 'auth-extra-groups': 'system:masters' }), `${ID}.${SECRET}`, false],
];
for (const [title, secret, token, isGood] of bootstraps) {
  test(`of bootstrap tokens, ${title} is ${isGood ? 'good' : 'none'}`, async () => {
    await make('/api/v1/namespaces/kube-system/secrets', secret);
    assert.equal(await whoAmI(bearer(token)), isGood ? `system:bootstrap:${ID}` : '401 Unauthorized');
    await api.request('DELETE', `/api/v1/namespaces/kube-system/secrets/bootstrap-token-${ID}`);
  });
}

test('a bootstrap token brings its groups', async () => {
  const groups = 'system:bootstrappers:fairway:node,system:bootstrappers:a';
  await make('/api/v1/namespaces/kube-system/secrets', bootstrap({ 'auth-extra-groups': groups }));
  const { json } = await api.knock('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    ...bearer(`${ID}.${SECRET}`),
    body: {},
  });
  assert.deepEqual(json.status.userInfo.groups, [
    'system:bootstrappers',
    'system:bootstrappers:a',
    'system:bootstrappers:fairway:node',
    'system:authenticated',
  ]);
});

const admin = cert('kubernetes-admin', 'system:masters');
const as = (...pairs: HeaderPairs) => ({ impersonation: pairs });

test('an administrator can be anybody, with groups, uid and extra', async () => {
  const headers = as(
    ['impersonate-user', 'jane'],
    ['impersonate-group', 'people, and others'],
    ['impersonate-group', 'robots'],
    ['impersonate-uid', '42'],
    ['impersonate-extra-example.com%2fproject', 'one'],
    ['impersonate-extra-example.com%2fproject', 'two'],
    ['impersonate-extra-__proto__', 'three'],
  );
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const { json } = await api.knock('POST', path, { ...admin, ...headers, body: {} });
  assert.deepEqual(json.status.userInfo, {
    username: 'jane',
    uid: '42',
    groups: ['people, and others', 'robots', 'system:authenticated'],
    extra: JSON.parse('{ "example.com/project": ["one", "two"], "__proto__": ["three"] }') as object,
  });
});

test('a service account that is impersonated is in its groups, and a stranger stays one', async () => {
  const groups = async (name: string) => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const knock = { ...admin, ...as(['impersonate-user', name]), body: { spec: { namespace: 'default' } } };
    return (await api.knock('POST', path, knock)).status;
  };
  assert.equal(await groups('system:serviceaccount:default:default'), 201);
  assert.equal(await groups('system:anonymous'), 403);
  const jwks = await api.knock('GET', '/openid/v1/jwks', {
    ...admin,
    ...as(['impersonate-user', 'system:serviceaccount:a:b']),
  });
  assert.equal(jwks.status, 200, 'which only service accounts may read');
});

test('everybody else needs the verb impersonate on each of it', async () => {
  const rule = (resources: string[], apiGroups: string[], resourceNames: string[]) => ({
    verbs: ['impersonate'],
    resources,
    apiGroups,
    resourceNames,
  });
  const RBAC = '/apis/rbac.authorization.k8s.io/v1';
  await make(`${RBAC}/clusterroles`, {
    metadata: { name: 'impersonator' },
    rules: [
      rule(['users'], [''], ['jane']),
      rule(['groups'], [''], ['people']),
      rule(['userextras/scopes'], ['authentication.k8s.io'], ['view']),
    ],
  });
  await make(`${RBAC}/clusterrolebindings`, {
    metadata: { name: 'impersonator' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'impersonator' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' }],
  });
  const asks = async (...pairs: HeaderPairs) => await whoAmI({ ...cert('bob'), ...as(...pairs) });
  assert.equal(
    await asks(['impersonate-user', 'jane'], ['impersonate-group', 'people'], ['impersonate-extra-scopes', 'view']),
    'jane',
  );
  assert.equal(
    await asks(['impersonate-user', 'john']),
    '403 users "john" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  assert.equal(
    await asks(['impersonate-user', 'jane'], ['impersonate-group', 'system:masters']),
    '403 groups "system:masters" is forbidden: User "bob" cannot impersonate resource "groups" in API group "" at the cluster scope',
  );
  assert.equal(
    await asks(['impersonate-user', 'system:serviceaccount:kube-system:x']),
    '403 serviceaccounts "x" is forbidden: User "bob" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "kube-system"',
  );
  assert.equal(
    await asks(['impersonate-user', 'jane'], ['impersonate-extra-scopes', 'edit']),
    '403 userextras.authentication.k8s.io "edit" is forbidden: User "bob" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
  );
  assert.equal(
    await asks(['impersonate-user', 'jane'], ['impersonate-uid', '1']),
    '403 uids.authentication.k8s.io "1" is forbidden: User "bob" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope',
  );
  assert.equal(
    await asks(['impersonate-group', 'people']),
    '400 requested uid, groups or user-extra without impersonating a user',
  );
});
