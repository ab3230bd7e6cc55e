import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const URL = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const pem = '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n';
const spec = { request: Buffer.from(pem).toString('base64'), signerName: 'example.com/x', usages: ['client auth'] };
const yes = { type: 'Approved', status: 'True', reason: 'KubectlApprove', message: 'yes' };

test('the server says who asks for a certificate, whatever the request says', async () => {
  const user = { name: 'ann', groups: ['system:masters', 'team'], uid: '7', extra: { scopes: ['a'] } };
  const forged = { ...spec, username: 'system:admin', groups: ['root'], uid: '0', extra: { scopes: ['b'] } };
  const made = await api.request('POST', URL, { user, body: { metadata: { name: 'c' }, spec: forged } });
  assert.equal(made.status, 201, made.text);
  const { username, groups, uid, extra } = made.json.spec;
  assert.deepEqual(
    { username, groups, uid, extra },
    {
      username: 'ann',
      groups: ['system:masters', 'team'],
      uid: '7',
      extra: { scopes: ['a'] },
    },
  );
});

test('approval adds a decision once, and nothing else does', async () => {
  const read = (await api.request('GET', `${URL}/c`)).json;
  const status = await api.request('PUT', `${URL}/c/status`, { body: { ...read, status: { conditions: [yes] } } });
  assert.match(status.json.message, /updates may not add a condition of type "Approved"/);
  const changed = { ...read, spec: { ...read.spec, signerName: 'other.com/y' }, status: { conditions: [yes] } };
  const approved = await api.request('PUT', `${URL}/c/approval`, { body: changed });
  assert.equal(approved.status, 200, approved.text);
  assert.equal(approved.json.spec.signerName, 'example.com/x');
  const [condition] = approved.json.status.conditions;
  assert.deepEqual(
    [condition.type, condition.reason, typeof condition.lastUpdateTime],
    ['Approved', 'KubectlApprove', 'string'],
  );
  const owners = approved.json.metadata.managedFields as { subresource?: string; fieldsV1: object }[];
  const owned = owners.find(({ subresource }) => subresource === 'approval')?.fieldsV1;
  assert.match(JSON.stringify(owned), /^\{"f:status":\{"f:conditions":\{.*k:\{\\"type\\":\\"Approved\\"\}/);
  const denied = { ...approved.json, status: { conditions: [yes, { ...yes, type: 'Denied' }] } };
  const both = await api.request('PUT', `${URL}/c/approval`, { body: denied });
  assert.match(both.json.message, /Approved and Denied conditions are mutually exclusive/);
  const none = await api.request('PUT', `${URL}/c/approval`, { body: { ...approved.json, status: {} } });
  assert.match(none.json.message, /updates may not remove a condition of type "Approved"/);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = (await api.request('GET', URL, { headers: { accept } })).json;
  assert.deepEqual(table.rows[0].cells.slice(2), ['example.com/x', 'ann', '<none>', 'Approved']);
});

test('who decides or signs needs the right to it for that signer', async () => {
  const made = await api.request('POST', URL, { body: { metadata: { name: 'd' }, spec } });
  assert.equal(made.status, 201, made.text);
  const user = { name: 'clerk', groups: ['system:authenticated'] };
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const apiGroups = ['certificates.k8s.io'];
  const resources = ['certificatesigningrequests/approval', 'certificatesigningrequests/status'];
  const rules: object[] = [{ apiGroups, resources, verbs: ['update'] }];
  const metadata = { name: 'clerk' };
  await api.request('POST', `${rbac}/clusterroles`, { body: { metadata, rules } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'clerk' };
  await api.request('POST', `${rbac}/clusterrolebindings`, {
    body: { metadata, roleRef, subjects: [{ kind: 'User', name: 'clerk' }] },
  });
  const put = (subresource: string, status: object) =>
    api.request('PUT', `${URL}/d/${subresource}`, { user, body: { ...made.json, metadata: { name: 'd' }, status } });
  const certificate = Buffer.from('x').toString('base64');
  for (const [verb, subresource, status] of [
    ['approve', 'approval', { conditions: [yes] }],
    ['sign', 'status', { conditions: [yes], certificate }],
  ] as const) {
    const refused = await put(subresource, status);
    assert.equal(refused.status, 403, refused.text);
    assert.equal(
      refused.json.message,
      `certificatesigningrequests.certificates.k8s.io "d" is forbidden: user not permitted to ${verb} requests with signerName "example.com/x"`,
    );
    rules.push({ apiGroups, resources: ['signers'], resourceNames: ['example.com/*'], verbs: [verb] });
    await api.request('PUT', `${rbac}/clusterroles/clerk`, { body: { metadata, rules } });
    const done = await put(subresource, status);
    assert.equal(done.status, 200, done.text);
  }
});

test('every group and version that is served has an APIService', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { rows } = (await api.request('GET', '/apis/apiregistration.k8s.io/v1/apiservices', { headers: { accept } }))
    .json;
  const cells = new Map(rows.map((row: { cells: string[] }) => [row.cells[0], row.cells]));
  assert.deepEqual((cells.get('v1.') as string[]).slice(1, 3), ['Local', 'True']);
  assert.deepEqual((cells.get('v1beta1.discovery.k8s.io') as string[]).slice(1, 3), ['Local', 'True']);
});
