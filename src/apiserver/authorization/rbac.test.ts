import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, KINDS, ROLE_BINDINGS, ROLES, type Kind } from '../../api/kinds.ts';
import { strategyFor } from '../../api/strategies.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../api/types.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { User } from '../request.ts';
import { defaultClusterRoleBindings, defaultRoleBindings } from './default-bindings.ts';
import { defaultClusterRoles, defaultRoles } from './default-roles.ts';
import { reconcileBinding, reconcileRole } from './reconcile.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const apiGroup = 'rbac.authorization.k8s.io';
const jane: User = { name: 'jane', groups: ['system:authenticated'] };
const podReader = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] };

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const post = (path: string, body: object, user?: User) => api.request('POST', path, { body, ...(user && { user }) });
async function make(path: string, body: object): Promise<void> {
  const { status, text } = await post(path, body);
  assert.equal(status, 201, text);
}
const role = (name: string, rules: object[], more: object = {}) => ({ metadata: { name }, rules, ...more });
const binding = (name: string, kind: string, to: string, ...subjects: object[]) => ({
  metadata: { name },
  roleRef: { apiGroup, kind, name: to },
  subjects,
});
const user = (name: string) => ({ kind: 'User', apiGroup, name });
const reads = async (who: User, namespace = 'default') =>
  (await api.request('GET', `/api/v1/namespaces/${namespace}/pods`, { user: who })).status;

test('a binding counts from its answer on, and no longer than it is there', async () => {
  await make(`${RBAC}/namespaces/default/roles`, role('reader', [podReader]));
  assert.equal(await reads(jane), 403);
  await make(`${RBAC}/namespaces/default/rolebindings`, binding('jane', 'Role', 'reader', user('jane')));
  assert.equal(await reads(jane), 200);
  assert.equal(await reads(jane, 'kube-system'), 403, 'a Role is for its namespace');
  const path = `${RBAC}/namespaces/default/rolebindings/jane`;
  const headers = { 'content-type': 'application/merge-patch+json' };
  await api.request('PATCH', path, { headers, body: { subjects: [user('john')] } });
  assert.equal(await reads(jane), 403, 'she was taken out of it');
  await api.request('PATCH', path, { headers, body: { subjects: [user('john'), user('jane')] } });
  assert.equal(await reads(jane), 200);
  await api.request('DELETE', path);
  assert.equal(await reads(jane), 403);
});

test('a group and a service account of the same namespace are subjects too', async () => {
  await make(`${RBAC}/clusterroles`, role('pod-reader', [podReader]));
  const subjects = [
    { kind: 'Group', apiGroup, name: 'people' },
    { kind: 'ServiceAccount', name: 'robot' },
  ];
  await make(`${RBAC}/namespaces/default/rolebindings`, binding('several', 'ClusterRole', 'pod-reader', ...subjects));
  assert.equal(await reads({ name: 'x', groups: ['people'] }), 200);
  assert.equal(await reads({ name: 'system:serviceaccount:default:robot', groups: [] }), 200);
  assert.equal(await reads({ name: 'system:serviceaccount:other:robot', groups: [] }), 403);
});

test('a refusal tells of the role that is not there', async () => {
  await make(`${RBAC}/clusterrolebindings`, binding('dangling', 'ClusterRole', 'gone', user('lost')));
  const { json } = await api.request('GET', '/api/v1/nodes', { user: { name: 'lost', groups: [] } });
  assert.equal(
    json.message,
    'nodes is forbidden: User "lost" cannot list resource "nodes" in API group "" at the cluster scope: RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found',
  );
});

const canI = async (who: User, attributes: object) => {
  const body = { spec: { user: who.name, groups: who.groups, resourceAttributes: attributes } };
  return (await post('/apis/authorization.k8s.io/v1/subjectaccessreviews', body)).json.status;
};

test('an access review says by which binding', async () => {
  await make(`${RBAC}/clusterrolebindings`, binding('readers', 'ClusterRole', 'pod-reader', user('ann')));
  const status = await canI({ name: 'ann', groups: [] }, { verb: 'get', resource: 'pods' });
  const reason = 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "pod-reader" to User "ann"';
  assert.deepEqual(status, { allowed: true, reason });
  const local = await canI({ name: 'x', groups: ['people'] }, { verb: 'get', resource: 'pods', namespace: 'default' });
  assert.match(local.reason, /RoleBinding "several\/default" of ClusterRole "pod-reader" to Group "people"$/);
  assert.deepEqual(await canI({ name: 'ann', groups: [] }, { verb: 'delete', resource: 'pods' }), { allowed: false });
});

test('reviews that make no sense are refused in Kubernetes words', async () => {
  const ask = async (plural: string, spec: object) => {
    const { status, json } = await post(`/apis/authorization.k8s.io/v1/${plural}`, { spec });
    return [status, json.message] as [number, string];
  };
  const both = { resourceAttributes: { verb: 'get' }, nonResourceAttributes: { path: '/' } };
  assert.match(
    (await ask('selfsubjectaccessreviews', both))[1],
    /cannot be specified in combination with resourceAttributes/,
  );
  assert.match(
    (await ask('selfsubjectaccessreviews', {}))[1],
    /exactly one of nonResourceAttributes or resourceAttributes must be specified/,
  );
  assert.match(
    (await ask('subjectaccessreviews', { resourceAttributes: {} }))[1],
    /spec.user: Invalid value: "": at least one of user or group must be specified/,
  );
  assert.deepEqual(await ask('selfsubjectrulesreviews', {}), [400, 'no namespace on request']);
  const elsewhere = { user: 'a', resourceAttributes: { namespace: 'other', verb: 'get', resource: 'pods' } };
  assert.deepEqual(await ask('namespaces/default/localsubjectaccessreviews', elsewhere), [
    400,
    'spec.resourceAttributes.namespace must match namespace: default',
  ]);
});

test('older clients ask in v1beta1, and are answered in it', async () => {
  const spec = {
    user: 'x',
    group: ['people'],
    resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' },
  };
  const body = { apiVersion: 'authorization.k8s.io/v1beta1', kind: 'SubjectAccessReview', spec };
  const { json, headers } = await post('/apis/authorization.k8s.io/v1beta1/subjectaccessreviews', body);
  assert.deepEqual([json.apiVersion, json.spec, json.status.allowed], [body.apiVersion, spec, true]);
  const text = 'authorization.k8s.io/v1beta1 SubjectAccessReview is deprecated in v1.19+, unavailable in v1.22+';
  assert.ok(String(headers['warning']).includes(text), String(headers['warning']));
  const wrong = { ...body, apiVersion: 'authorization.k8s.io/v1' };
  assert.equal((await post('/apis/authorization.k8s.io/v1beta1/subjectaccessreviews', wrong)).status, 400);
});

test('what one may do in a namespace is listed', async () => {
  const ask = async (who: User) => {
    const body = { spec: { namespace: 'default' } };
    return (await post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', body, who)).json.status;
  };
  const status = await ask({ name: 'x', groups: ['people', 'system:authenticated'] });
  assert.deepEqual(status.resourceRules.at(-1), podReader);
  assert.ok(
    status.nonResourceRules.some((rule: { nonResourceURLs: string[] }) => rule.nonResourceURLs.includes('/version')),
  );
  assert.equal(status.incomplete, false);
  const node = await ask({ name: 'system:node:n', groups: ['system:nodes', 'system:authenticated'] });
  assert.equal(node.evaluationError, 'node authorizer does not support user rule resolution');
});

// Who may write roles, and holds nothing but reading pods.
const granter: User = { name: 'granter', groups: ['system:authenticated'] };
const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };

test('nobody grants what they do not hold', async () => {
  const rules = [{ apiGroups: [apiGroup], resources: ['*'], verbs: ['create', 'update', 'patch', 'get'] }, podReader];
  await make(`${RBAC}/clusterroles`, role('granter', rules));
  await make(`${RBAC}/clusterrolebindings`, binding('granter', 'ClusterRole', 'granter', user('granter')));
  const held = await post(`${RBAC}/clusterroles`, role('less', [{ ...podReader, verbs: ['get'] }]), granter);
  assert.equal(held.status, 201, held.text);
  const more = { apiGroups: ['', 'apps'], resources: ['pods'], verbs: ['get', 'delete', 'watch'] };
  const refused = await post(`${RBAC}/clusterroles`, role('more', [more]), granter);
  assert.equal(
    refused.json.message,
    `clusterroles.rbac.authorization.k8s.io "more" is forbidden: user "granter" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}
{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "delete" "watch"]}`,
  );
  const headers = { 'content-type': 'application/merge-patch+json' };
  const patch = (body: object) => api.request('PATCH', `${RBAC}/clusterroles/less`, { headers, user: granter, body });
  assert.equal((await patch({ rules: [everything] })).status, 403);
  assert.equal((await patch({ metadata: { finalizers: ['example.com/keep'] } })).status, 200, 'it gives nothing');
  await patch({ metadata: { finalizers: null } });
});

test('nor do they bind a role that gives it, unless they may bind that very role', async () => {
  const bind = (to: string) =>
    post(`${RBAC}/clusterrolebindings`, binding(`b-${to}`, 'ClusterRole', to, user('jim')), granter);
  assert.equal((await bind('pod-reader')).status, 201);
  const refused = await bind('cluster-admin');
  assert.equal(
    refused.json.message,
    `clusterrolebindings.rbac.authorization.k8s.io "b-cluster-admin" is forbidden: user "granter" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}`,
  );
  const absent = await bind('no-such');
  assert.equal(absent.json.message, 'clusterroles.rbac.authorization.k8s.io "no-such" not found');
  const allowed = {
    apiGroups: [apiGroup],
    resources: ['clusterroles'],
    verbs: ['bind'],
    resourceNames: ['cluster-admin'],
  };
  await make(`${RBAC}/clusterroles`, role('binder', [allowed]));
  await make(`${RBAC}/clusterrolebindings`, binding('binder', 'ClusterRole', 'binder', user('granter')));
  assert.equal((await bind('cluster-admin')).status, 201);
});

test('an older version, a patch and an apply are no way around it', async () => {
  const beta = `${RBAC}beta1/clusterroles`;
  const less = `${RBAC}/clusterroles/less`;
  const patched = (path: string, type: string, body: object, query = {}) => {
    const headers = { 'content-type': `application/${type}` };
    return api.request('PATCH', path, { headers, query, user: granter, body });
  };
  const applied = { apiVersion: `${apiGroup}/v1`, kind: 'ClusterRole', ...role('less', [everything]) };
  const answers = await Promise.all([
    post(beta, role('old', [everything]), granter),
    patched(`${beta}/less`, 'merge-patch+json', { rules: [everything] }),
    patched(less, 'json-patch+json', [{ op: 'add', path: '/rules/-', value: everything }]),
    patched(less, 'apply-patch+yaml', applied, { fieldManager: 'me', force: 'true' }),
  ]);
  for (const { status, json } of answers) {
    assert.equal(status, 403);
    assert.match(json.message, /is attempting to grant RBAC permissions not currently held:\n{APIGroups:\["\*"\]/);
  }
});

test('an aggregationRule gathers anything, so it needs everything', async () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  const { json } = await post(`${RBAC}/clusterroles`, role('gather', [], { aggregationRule }), granter);
  assert.equal(
    json.message,
    'clusterroles.rbac.authorization.k8s.io "gather" is forbidden: must have cluster-admin privileges to use the aggregationRule',
  );
});

test('the verb escalate lifts that for roles', async () => {
  await make(
    `${RBAC}/clusterroles`,
    role('escalator', [{ apiGroups: [apiGroup], resources: ['clusterroles'], verbs: ['escalate'] }]),
  );
  await make(`${RBAC}/clusterrolebindings`, binding('escalator', 'ClusterRole', 'escalator', user('granter')));
  assert.equal((await post(`${RBAC}/clusterroles`, role('all', [everything]), granter)).status, 201);
});

test('who may only change things cannot make them by PUT', async () => {
  const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['update'] }];
  await make(`${RBAC}/clusterroles`, role('lease-keeper', rules));
  await make(`${RBAC}/clusterrolebindings`, binding('keeper', 'ClusterRole', 'lease-keeper', user('keeper')));
  const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
  const body = { metadata: { name: 'l' }, spec: {} };
  const { json } = await api.request('PUT', path, { body, user: { name: 'keeper', groups: [] } });
  assert.match(
    json.message,
    /^leases.coordination.k8s.io "l" is forbidden: User "keeper" cannot create resource "leases"/,
  );
});

test('a WebSocket into a container needs create as well as get (7-054)', async () => {
  const rules = [{ apiGroups: [''], resources: ['pods/exec', 'pods/log'], verbs: ['get'] }];
  await make(`${RBAC}/clusterroles`, role('onlooker', rules));
  await make(`${RBAC}/clusterrolebindings`, binding('onlooker', 'ClusterRole', 'onlooker', user('onlooker')));
  const get = (sub: string) =>
    api.request('GET', `/api/v1/namespaces/default/pods/p/${sub}`, { user: { name: 'onlooker', groups: [] } });
  assert.match(
    (await get('exec')).json.message,
    /^pods "p" is forbidden: .* cannot create resource "pods\/exec" in API/,
  );
  assert.equal((await get('log')).status, 404, 'there is no such Pod');
});

const invalids: [path: string, body: object, message: RegExp][] = [
  ['roles', role('r', [{ verbs: [] }]), /rules\[0\].verbs: Required value: verbs must contain at least one value/],
  [
    'roles',
    role('r', [{ verbs: ['get'], nonResourceURLs: ['/x'] }]),
    /namespaced rules cannot apply to non-resource URLs/,
  ],
  [
    'roles',
    role('r', [{ verbs: ['get'], resources: ['pods'] }]),
    /apiGroups: Required value: resource rules must supply at least one api group/,
  ],
  [
    'rolebindings',
    binding('b', 'Pod', 'x'),
    /roleRef.kind: Unsupported value: "Pod": supported values: "ClusterRole", "Role"/,
  ],
  ['rolebindings', binding('b', 'Role', ''), /roleRef.name: Required value/],
  [
    'rolebindings',
    binding('b', 'Role', 'x', { kind: 'ServiceAccount', name: 'A_b' }),
    /subjects\[0\].name: Invalid value: "A_b"/,
  ],
  [
    'rolebindings',
    binding('b', 'Role', 'x', { kind: 'Robot', name: 'a' }),
    /subjects\[0\].kind: Unsupported value: "Robot"/,
  ],
];
for (const [plural, body, message] of invalids) {
  test(`${plural} ${JSON.stringify(body).slice(0, 80)} is refused`, async () => {
    const { status, json } = await post(`${RBAC}/namespaces/default/${plural}`, body);
    assert.equal(status, 422);
    assert.match(json.message, message);
  });
}

test('a binding keeps its role', async () => {
  const path = `${RBAC}/clusterrolebindings/readers`;
  const headers = { 'content-type': 'application/merge-patch+json' };
  const { status, json } = await api.request('PATCH', path, { headers, body: { roleRef: { name: 'view' } } });
  assert.equal(status, 422);
  assert.match(json.message, /roleRef: Invalid value: .*: cannot change roleRef$/);
});

const defaults: [Kind, (ClusterRole | ClusterRoleBinding)[]][] = [
  [CLUSTER_ROLES, defaultClusterRoles()],
  [ROLES, defaultRoles()],
  [CLUSTER_ROLE_BINDINGS, defaultClusterRoleBindings()],
  [ROLE_BINDINGS, defaultRoleBindings()],
];

test('the default roles are valid, and bindings lead to roles that are there', () => {
  for (const [kind, objects] of defaults) {
    for (const object of objects) {
      const copy = structuredClone(object);
      strategyFor(kind as Kind<typeof copy>).applyDefaults(copy);
      assert.deepEqual(strategyFor(kind as Kind<typeof copy>).validate(copy), [], object.metadata.name);
      assert.deepEqual(copy, object, 'nothing is left to default');
    }
  }
  const names = new Set([...defaultClusterRoles(), ...defaultRoles()].map(({ metadata }) => metadata.name));
  for (const { roleRef } of [...defaultClusterRoleBindings(), ...defaultRoleBindings()])
    assert.ok(names.has(roleRef.name), roleRef.name);
});

test('roles speak of resources that are served', () => {
  const groups = new Set([
    '',
    'apps',
    'batch',
    'coordination.k8s.io',
    'discovery.k8s.io',
    'networking.k8s.io',
    'policy',
  ]);
  const served = new Set(
    KINDS.flatMap(({ group, plural, subresources }) =>
      [plural, ...subresources.map((sub) => `${plural}/${sub}`)].map((each) => `${group} ${each}`),
    ),
  );
  // Kubernetes' roles name these too, and so allow them where somebody serves them.
  const others = ['bindings', 'nodes/', 'deployments/rollback'];
  for (const { metadata, rules } of defaultClusterRoles()) {
    for (const { apiGroups = [], resources = [] } of rules ?? []) {
      for (const group of apiGroups.filter((each) => groups.has(each))) {
        const unknown = resources.filter((each) => each !== '*' && !served.has(`${group} ${each}`));
        assert.deepEqual(
          unknown.filter((each) => !others.some((other) => each.startsWith(other))),
          [],
          metadata.name,
        );
      }
    }
  }
});

test('they are made in one commit, and not written again', async (t) => {
  const store = createMemoryStore();
  const commit = store.commit.bind(store);
  let commits = 0;
  store.commit = (operations) => {
    if (operations.some(({ key }) => key.includes('/clusterroles/'))) commits += 1;
    return commit(operations);
  };
  store.close = () => Promise.resolve();
  const first = await startTestApi({ store });
  await first.stop();
  assert.equal(commits, 1);
  const revision = store.revision();
  const second = await startTestApi({ store });
  t.after(() => second.stop());
  assert.equal(commits, 1);
  assert.equal(store.revision(), revision, 'nothing was written');
});

const view = () =>
  structuredClone(
    defaultClusterRoles().find(({ metadata }) => metadata.name === 'system:aggregate-to-view'),
  ) as ClusterRole;

test('what is missing of a default role comes back at the start, and what was added stays', () => {
  const present = view();
  const extra = { apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] };
  present.rules = [...(present.rules ?? []).slice(1), extra];
  const changed = reconcileRole(present, view());
  assert.ok(changed);
  const resources = (changed.rules ?? []).flatMap((rule) => rule.resources ?? []);
  assert.ok(resources.includes('things') && resources.includes('configmaps'), resources.join());
  assert.equal(reconcileRole(changed, view()), undefined, 'and then it is as it should be');
});

test('autoupdate: false keeps a role as it is', () => {
  const present = view();
  present.metadata.annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  present.rules = [];
  assert.equal(reconcileRole(present, view()), undefined);
});

test('a subject taken out of a default binding comes back, and one with another role is replaced', () => {
  const wanted = defaultClusterRoleBindings().find(
    ({ metadata }) => metadata.name === 'cluster-admin',
  ) as ClusterRoleBinding;
  const { subjects: _none, ...bare } = structuredClone(wanted);
  const changed = reconcileBinding({ ...bare, subjects: [user('jane')] }, wanted);
  assert.deepEqual(
    changed?.binding.subjects?.map(({ name }) => name),
    ['jane', 'system:masters'],
  );
  assert.equal(changed?.replaced, false);
  const other = { ...structuredClone(wanted), roleRef: { apiGroup, kind: 'ClusterRole', name: 'view' } };
  assert.equal(reconcileBinding(other, wanted)?.replaced, true);
});
