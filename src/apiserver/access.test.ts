import { createLocalJWKSet, jwtVerify } from 'jose';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import { isStatusError } from '../../test/support/status-error.ts';
import { authenticate, type Peer } from './authenticate.ts';
import { ANONYMOUS, type User } from './request.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const node: User = { name: 'system:node:node01', groups: ['system:nodes', 'system:authenticated'] };
const account: User = {
  name: 'system:serviceaccount:default:default',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
};
const admin: User = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

const rows: [who: User, method: string, path: string, allowed: boolean][] = [
  [ANONYMOUS, 'GET', '/healthz', true],
  [ANONYMOUS, 'GET', '/version', true],
  [ANONYMOUS, 'GET', '/readyz', true],
  [ANONYMOUS, 'GET', '/api', false],
  [ANONYMOUS, 'GET', '/metrics', false],
  [ANONYMOUS, 'GET', '/api/v1/pods', false],
  [account, 'GET', '/apis', true],
  [account, 'GET', '/openapi/v3', true],
  [account, 'GET', '/metrics', false],
  [account, 'GET', '/api/v1/namespaces/default/secrets', false],
  [node, 'GET', '/api/v1/services', true],
  [node, 'GET', '/apis/discovery.k8s.io/v1/endpointslices', false],
  [node, 'GET', '/api/v1/namespaces/default/secrets/x', false],
  [node, 'DELETE', '/api/v1/namespaces/default/secrets/x', false],
  [node, 'POST', '/api/v1/namespaces/default/pods', false],
  [node, 'POST', '/api/v1/namespaces/default/pods/x/exec', false],
  [node, 'PUT', '/api/v1/nodes/node02/status', false],
  [node, 'PUT', '/api/v1/nodes/node01/status', true],
  [node, 'PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node01', true],
  [node, 'PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node02', false],
  [node, 'DELETE', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node02', false],
  [node, 'POST', '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases', false],
  [node, 'PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/node01', false],
  [node, 'PATCH', '/api/v1/namespaces/default/pods/x/status', true],
  [node, 'POST', '/api/v1/namespaces/default/serviceaccounts/default/token', false],
  [admin, 'GET', '/metrics', true],
  [admin, 'DELETE', '/api/v1/namespaces/default/secrets/x', true],
];
for (const [user, method, path, allowed] of rows) {
  test(`${user.name} may ${allowed ? '' : 'not '}${method} ${path}`, async () => {
    const { status } = await api.request(method, path, { user, body: method === 'GET' ? undefined : {} });
    assert.equal(status !== 403, allowed, String(status));
  });
}

test('a right to a subresource opens nothing of the objects themselves', async () => {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const user: User = { name: 'reporter', groups: ['system:authenticated'] };
  const rules = [{ apiGroups: [''], resources: ['pods/status'], verbs: ['*'] }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reporter' };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reporter' }];
  const metadata = { name: 'reporter' };
  assert.equal((await api.request('POST', `${rbac}/clusterroles`, { body: { metadata, rules } })).status, 201);
  const binding = { metadata, roleRef, subjects };
  assert.equal((await api.request('POST', `${rbac}/clusterrolebindings`, { body: binding })).status, 201);
  const pods = '/api/v1/namespaces/default/pods';
  const body = { metadata: { name: 'kept' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  assert.equal((await api.request('POST', pods, { body })).status, 201);
  for (const [method, path] of [
    ['GET', `${pods}//status`],
    ['POST', `${pods}//status`],
    ['DELETE', `${pods}//status`],
    ['GET', '/api/v1/watch/namespaces/default/pods//status?timeoutSeconds=1'],
    ['GET', '/api/v1/watch/namespaces/default/pods/kept/status?timeoutSeconds=1'],
    ['PUT', `${pods}/kept/status/more`],
  ] as const) {
    const given = { ...body, metadata: { name: method === 'PUT' ? 'kept' : 'made' } };
    const answer = await api.request(method, path, { user, body: method === 'GET' ? undefined : given });
    assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`);
  }
  assert.equal((await api.request('GET', `${pods}/kept/status`, { user })).status, 200);
  assert.equal((await api.request('GET', `${pods}/made`)).status, 404);
  assert.equal((await api.request('DELETE', `${pods}/kept`)).status, 200);
});

test('a node writes, deletes and gets tokens for the Pods bound to it, and no others', async () => {
  const pods = '/api/v1/namespaces/default/pods';
  for (const [name, nodeName] of [
    ['mine', 'node01'],
    ['theirs', 'node02'],
    ['nobodys', undefined],
  ]) {
    const body = { metadata: { name }, spec: { nodeName, containers: [{ name: 'c', image: 'i' }] } };
    assert.equal((await api.request('POST', pods, { user: admin, body })).status, 201);
  }
  const status = async (name: string) => {
    const headers = { 'content-type': 'application/merge-patch+json' };
    return (
      await api.request('PATCH', `${pods}/${name}/status`, {
        user: node,
        headers,
        body: { status: { message: 'seen' } },
      })
    ).status;
  };
  const token = async (spec: object) => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    return (await api.request('POST', path, { user: node, body: { spec } })).status;
  };
  const bound = async (name: string) => {
    const { json } = await api.request('GET', `${pods}/${name}`, { user: admin });
    return { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid: json.metadata?.uid ?? 'none' } };
  };
  assert.deepEqual(await Promise.all(['mine', 'theirs', 'nobodys', 'none'].map(status)), [200, 403, 403, 404]);
  assert.deepEqual(
    await Promise.all(['mine', 'theirs', 'nobodys', 'none'].map(async (name) => token(await bound(name)))),
    [201, 403, 403, 404],
  );
  assert.equal(await token({}), 403, 'one that is bound to nothing would outlive the Pod');
  const gone = async (name: string) =>
    (await api.request('DELETE', `${pods}/${name}?gracePeriodSeconds=0`, { user: node })).status;
  assert.deepEqual([await gone('theirs'), await gone('mine')], [403, 200]);
});

test('a refusal says who may not do what where (8-094)', async () => {
  const { json } = await api.request('GET', '/api/v1/namespaces/ns/services/x', { user: account });
  assert.equal(
    json.message,
    'services "x" is forbidden: User "system:serviceaccount:default:default" cannot get resource "services" in API group "" in the namespace "ns"',
  );
  const path = await api.request('GET', '/metrics', { user: ANONYMOUS });
  assert.equal(path.json.message, 'forbidden: User "system:anonymous" cannot get path "/metrics"');
  const cluster = await api.request('GET', '/apis/apps/v1/deployments', { user: account });
  assert.match(
    cluster.json.message,
    /^deployments.apps is forbidden: .* cannot list resource "deployments" in API group "apps" at the cluster scope$/,
  );
});

const login = (authorization: string | undefined, peer: Peer = {}) =>
  authenticate({ peer, headers: { authorization } }, api.server.bearers);

test('a certificate gives the name and the groups; bad credentials are 401', async () => {
  const user = await login(undefined, { subject: { CN: 'a', O: ['x', 'y'] } });
  assert.deepEqual(user, { name: 'a', groups: ['x', 'y', 'system:authenticated'] });
  assert.deepEqual(await login(undefined), ANONYMOUS);
  for (const header of ['Bearer nonsense', 'Basic YTpi', 'Bearer a.b.c']) {
    await assert.rejects(login(header), isStatusError(401, 'Unauthorized'));
  }
});

async function tokenFor(name: string, spec: object = {}): Promise<string> {
  const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
  const { status, json, text } = await api.request('POST', path, { body: { spec } });
  assert.equal(status, 201, text);
  return json.status.token as string;
}

test('a service account token says who it is, until the account is gone', async () => {
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'robot' } } });
  const token = await tokenFor('robot');
  const user = await login(`Bearer ${token}`);
  assert.equal(user.name, 'system:serviceaccount:default:robot');
  assert.deepEqual(user.groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']);
  await api.request('DELETE', '/api/v1/namespaces/default/serviceaccounts/robot');
  await assert.rejects(login(`Bearer ${token}`), isStatusError(401, 'Unauthorized'));
});

test('a token bound to a Pod ends with the Pod, and is for its audience alone', async () => {
  const pod = { metadata: { name: 'bound' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const made = await api.request('POST', '/api/v1/namespaces/default/pods', { body: pod });
  const { uid } = made.json.metadata;
  const token = await tokenFor('default', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid } });
  const { tokens } = api.server;
  const user = await tokens.verify(token);
  assert.deepEqual(user?.extra?.['authentication.kubernetes.io/pod-name'], ['bound']);
  assert.equal(await tokens.verify(token, 'somebody-else'), undefined);
  await api.request('DELETE', '/api/v1/namespaces/default/pods/bound', { body: { gracePeriodSeconds: 0 } });
  assert.equal(await tokens.verify(token), undefined);
});

test('tokens are refused for less than ten minutes, and for the wrong Pod', async () => {
  const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const short = await api.request('POST', path, { body: { spec: { expirationSeconds: 10 } } });
  assert.match(short.json.message, /may not specify a duration less than 10 minutes/);
  const missing = await api.request('POST', path, { body: { spec: { boundObjectRef: { kind: 'Pod', name: 'no' } } } });
  assert.equal(missing.status, 404);
});

test('kubectl auth whoami and can-i get their answers', async () => {
  const review = await api.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    user: account,
    body: {},
  });
  assert.equal(review.json.status.userInfo.username, account.name);
  const canI = async (user: User, verb: string) => {
    const spec = { resourceAttributes: { verb, resource: 'pods', namespace: 'default' } };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    return (await api.request('POST', path, { user, body: { spec } })).json.status.allowed as boolean;
  };
  assert.deepEqual(
    [await canI(account, 'create'), await canI(admin, 'create'), await canI(node, 'delete')],
    [false, true, true],
  );
});

test('others can check our tokens with the published key (8-102)', async () => {
  const { json } = await api.request('GET', '/.well-known/openid-configuration', { user: account });
  assert.equal(json.issuer, 'https://kubernetes.default.svc.cluster.local');
  const keys = await api.request('GET', '/openid/v1/jwks', { user: account });
  const { payload, protectedHeader } = await jwtVerify(await tokenFor('default'), createLocalJWKSet(keys.json));
  assert.equal(payload.sub, 'system:serviceaccount:default:default');
  assert.equal(protectedHeader.kid, keys.json.keys[0].kid);
});
