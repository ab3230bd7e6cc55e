import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';
import type { User } from '../request.ts';

const node: User = { name: 'system:node:node01', groups: ['system:nodes', 'system:authenticated'] };
const pods = '/api/v1/namespaces/default/pods';
const merge = { 'content-type': 'application/merge-patch+json' };

let api: TestApi;
before(async () => {
  api = await startTestApi();
  for (const name of ['node01', 'node02']) await api.request('POST', '/api/v1/nodes', { body: { metadata: { name } } });
  for (const [name, nodeName] of [
    ['mine', 'node01'],
    ['theirs', 'node02'],
  ]) {
    const body = { metadata: { name }, spec: { nodeName, containers: [{ name: 'c', image: 'i' }] } };
    assert.equal((await api.request('POST', pods, { body })).status, 201);
  }
});
after(() => api.stop());

const mirror = (spec: object, annotations: object = { 'kubernetes.io/config.mirror': 'x' }) => ({
  metadata: { name: 'static', annotations },
  spec: { nodeName: 'node01', containers: [{ name: 'c', image: 'i' }], ...spec },
});
const labelled = (labels: object) => ({ metadata: { labels } });
const lease = (name: string) => ({ metadata: { name }, spec: { holderIdentity: name } });
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

const refused: [method: string, path: string, body: object, message: string][] = [
  [
    'PATCH',
    '/api/v1/nodes/node02/status',
    {},
    'nodes "node02" is forbidden: node "node01" is not allowed to modify node "node02"',
  ],
  [
    'POST',
    '/api/v1/nodes',
    { metadata: { name: 'node03' } },
    'nodes "node03" is forbidden: node "node01" is not allowed to modify node "node03"',
  ],
  [
    'PATCH',
    '/api/v1/nodes/node01',
    labelled({ 'node-restriction.kubernetes.io/zone': 'a' }),
    'nodes "node01" is forbidden: node "node01" is not allowed to modify labels: node-restriction.kubernetes.io/zone',
  ],
  [
    'PATCH',
    '/api/v1/nodes/node01',
    labelled({ 'node-role.kubernetes.io/control-plane': '' }),
    'nodes "node01" is forbidden: node "node01" is not allowed to modify labels: node-role.kubernetes.io/control-plane',
  ],
  [
    'PATCH',
    '/api/v1/nodes/node01',
    { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    'nodes "node01" is forbidden: node "node01" is not allowed to modify taints',
  ],
  [
    'POST',
    pods,
    mirror({}, {}),
    'pods "static" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "node01" can only create mirror pods',
  ],
  [
    'POST',
    pods,
    mirror({ nodeName: 'node02' }),
    'pods "static" is forbidden: node "node01" can only create pods with spec.nodeName set to itself',
  ],
  [
    'POST',
    pods,
    mirror({ serviceAccountName: 'default' }),
    'pods "static" is forbidden: node "node01" can not create pods that reference a service account',
  ],
  [
    'POST',
    pods,
    mirror({ volumes: [{ name: 's', secret: { secretName: 's' } }] }),
    'pods "static" is forbidden: node "node01" can not create pods that reference secrets',
  ],
  [
    'POST',
    pods,
    mirror({ volumes: [{ name: 's', configMap: { name: 's' } }] }),
    'pods "static" is forbidden: node "node01" can not create pods that reference configmaps',
  ],
  [
    'PATCH',
    `${pods}/theirs/status`,
    {},
    'pods "theirs" is forbidden: node "node01" can only update pod status for pods with spec.nodeName set to itself',
  ],
  [
    'PATCH',
    `${pods}/mine/status`,
    labelled({ app: 'web' }),
    'pods "mine" is forbidden: node "node01" cannot update labels through pod status',
  ],
  [
    'DELETE',
    `${pods}/theirs`,
    {},
    'pods "theirs" is forbidden: node "node01" can only delete pods with spec.nodeName set to itself',
  ],
  [
    'POST',
    `${pods}/theirs/eviction`,
    { metadata: { name: 'theirs' } },
    'pods "theirs" is forbidden: node "node01" can only evict pods with spec.nodeName set to itself',
  ],
  [
    'POST',
    LEASES,
    lease('node02'),
    'leases.coordination.k8s.io "node02" is forbidden: can only access node lease with the same name as the requesting node',
  ],
  [
    'POST',
    '/api/v1/namespaces/default/serviceaccounts/default/token',
    { spec: {} },
    'serviceaccounts "default" is forbidden: node requested token not bound to a pod',
  ],
  [
    'POST',
    '/api/v1/namespaces/default/serviceaccounts/default/token',
    { spec: { boundObjectRef: { kind: 'Pod', name: 'mine' } } },
    'serviceaccounts "default" is forbidden: node requested token with a pod binding without a uid',
  ],
  [
    'POST',
    '/api/v1/namespaces/default/serviceaccounts/default/token',
    { spec: { boundObjectRef: { kind: 'Pod', name: 'theirs', uid: 'x' } } },
    'serviceaccounts "default" is forbidden: node requested token bound to a pod scheduled on a different node',
  ],
];
for (const [method, path, body, message] of refused) {
  test(message, async () => {
    const headers = method === 'PATCH' ? merge : {};
    const { status, json } = await api.request(method, path, { user: node, headers, body });
    assert.equal(json.message, message);
    assert.equal(status, 403);
  });
}

const allowed: [method: string, path: string, body: object, status: number][] = [
  ['PATCH', '/api/v1/nodes/node01', labelled({ 'kubernetes.io/os': 'linux', 'example.com/rack': '7' }), 200],
  ['PATCH', '/api/v1/nodes/node01/status', { status: { conditions: [] } }, 200],
  ['POST', pods, mirror({}), 201],
  ['PATCH', `${pods}/mine/status`, { status: { phase: 'Running' } }, 200],
  ['POST', LEASES, lease('node01'), 201],
  ['DELETE', `${pods}/mine`, {}, 200],
];
for (const [method, path, body, wanted] of allowed) {
  test(`a node may ${method} ${path} ${JSON.stringify(body).slice(0, 60)}`, async () => {
    const headers = method === 'PATCH' ? merge : {};
    const { status, text } = await api.request(method, path, { user: node, headers, body });
    assert.equal(status, wanted, text);
  });
}

test('a mirror of a static Pod is nobody, so its node gets no token for it', async () => {
  const made = await api.request('POST', '/api/v1/namespaces/kube-public/pods', { user: node, body: mirror({}) });
  assert.equal(made.status, 201, made.text);
  const { name, uid } = made.json.metadata;
  const path = '/api/v1/namespaces/kube-public/serviceaccounts/default/token';
  const body = { spec: { boundObjectRef: { kind: 'Pod', name, uid } } };
  const { status, json } = await api.request('POST', path, { user: node, body });
  assert.equal(status, 403);
  assert.match(json.message, /no relationship found between node 'node01' and this object$/);
});
