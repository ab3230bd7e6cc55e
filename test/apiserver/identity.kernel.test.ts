/** Who somebody is and what they may do, as kubectl asks and tells it over real TLS: certificates, tokens, roles, impersonation, audit. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureCertificates, pkiPaths } from '../../src/cluster/certificates.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

const [kubectl = ''] = kubectls();
const folder = mkdtempSync(join(tmpdir(), 'fairway-identity-'));
const auditLogPath = join(folder, 'audit.log');
let api: TlsApi;
before(async () => {
  api = await startTlsApi({ auditLog: { auditLogPath } });
});
after(async () => {
  await api.stop();
  rmSync(folder, { recursive: true });
});

/** Not spawnSync: the server runs in this process. */
async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, KUBECONFIG: api.kubeconfig };
  const child = spawn(kubectl, args, { env, timeout: 30_000 });
  child.stdin.end();
  const result = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (result.out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (result.err += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...result };
}
async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await run(...args);
  assert.equal(code, 0, `kubectl ${args.join(' ')}\n${out}${err}`);
  return out;
}
const canI = async (...args: string[]) => (await run('auth', 'can-i', ...args)).out.trim();

/** With other credentials than the administrator's, or with none. */
function get(path: string, more: { cert?: string; key?: string; token?: string } = {}): Promise<[number, string]> {
  const { token, ...tls } = more;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const options = { ca: api.admin.ca, headers, agent: false as const, ...tls };
    const asked = request(`${api.url}${path}`, options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += String(chunk)));
      response.on('end', () => {
        resolve([response.statusCode ?? 0, text]);
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('kubectl makes roles and bindings, and can-i tells what they give', async () => {
  await ok('create', 'serviceaccount', 'robot');
  await ok('create', 'role', 'reader', '--verb=get,list,watch', '--resource=pods,pods/log,deployments.apps');
  await ok(
    'create',
    'rolebinding',
    'readers',
    '--role=reader',
    '--user=jane',
    '--group=people',
    '--serviceaccount=default:robot',
  );
  await ok('create', 'clusterrole', 'metrics', '--verb=get', '--non-resource-url=/metrics');
  await ok('create', 'clusterrolebinding', 'metrics', '--clusterrole=metrics', '--user=jane');
  const robot = '--as=system:serviceaccount:default:robot';
  assert.deepEqual(
    await Promise.all([
      canI('list', 'pods', robot),
      canI('delete', 'pods', robot),
      canI('get', 'pods', '--subresource=log', '--as=jane'),
      canI('get', 'pods', '--as=x', '--as-group=people'),
      canI('get', '/metrics', '--as=jane'),
      canI('get', '/metrics', robot),
      canI('list', 'deployments.apps', '-n', 'kube-system', '--as=jane'),
      canI('*', '*'),
    ]),
    ['yes', 'no', 'yes', 'yes', 'yes', 'no', 'no', 'yes'],
  );
  const list = await ok('auth', 'can-i', '--list', '--as=jane');
  assert.match(list, /^pods\/log +\[\] +\[\] +\[get list watch\]$/m);
  assert.match(list, /^ +\[\/metrics\] +\[\] +\[get\]$/m);
});

/** As `auth whoami` and `create token` do, which older kubectls lack. */
async function createRaw(path: string, body: object, ...args: string[]): Promise<{ status: Record<string, unknown> }> {
  const file = join(folder, 'raw.json');
  writeFileSync(file, JSON.stringify(body));
  return JSON.parse(await ok('create', '--raw', path, '-f', file, ...args)) as { status: Record<string, unknown> };
}

test('one is told whom one is taken for', async () => {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const { userInfo } = (await createRaw(path, review)).status as { userInfo: { username: string; extra: object } };
  assert.equal(userInfo.username, 'kubernetes-admin');
  assert.match(JSON.stringify(userInfo.extra), /credential-id":\["X509SHA256=[0-9a-f]{64}"\]/);
  const as = await createRaw(path, review, '--as=jane', '--as-group=people', '--as-group=a,b');
  assert.deepEqual(as.status, { userInfo: { username: 'jane', groups: ['people', 'a,b', 'system:authenticated'] } });
});

test('what somebody may not do is refused in Kubernetes words', async () => {
  const { code, err } = await run('get', 'secrets', '--as=jane');
  assert.equal(code, 1);
  assert.equal(
    err,
    'Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"\n',
  );
});

test('auth reconcile brings a role to what a file says and keeps what is more', async () => {
  const file = join(folder, 'role.yaml');
  const role = (verbs: string) => `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [""], resources: [services], verbs: [${verbs}]}
`;
  writeFileSync(file, role('get'));
  assert.match(await ok('auth', 'reconcile', '-f', file), /role.rbac.authorization.k8s.io\/reader reconciled/);
  assert.deepEqual(
    [await canI('get', 'services', '--as=jane'), await canI('list', 'pods', '--as=jane')],
    ['yes', 'yes'],
  );
});

test('a token of a service account opens what the account may do', async () => {
  const path = '/api/v1/namespaces/default/serviceaccounts/robot/token';
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { token } = (await createRaw(path, request)).status as { token: string };
  assert.equal((await get('/api/v1/namespaces/default/pods', { token }))[0], 200);
  assert.equal((await get('/api/v1/namespaces/default/secrets', { token }))[0], 403);
  assert.equal((await get('/healthz', { token: `${token}x` }))[0], 401);
});

test('without credentials there is health and version, and nothing else', async () => {
  assert.deepEqual(await get('/healthz'), [200, 'ok']);
  assert.equal((await get('/version'))[0], 200);
  const [status, text] = await get('/api/v1/pods');
  assert.equal(status, 403);
  assert.match(text, /User \\"system:anonymous\\" cannot list resource \\"pods\\"/);
});

test('a certificate gives its name and groups, and one of another authority nothing', async () => {
  const sign = async (authority: string) => {
    const file = 'jane';
    await ensureCertificates(authority, [{ file, commonName: 'jane', organization: 'people', use: 'client' }]);
    const paths = pkiPaths(authority);
    return { cert: readFileSync(paths.cert(file), 'utf8'), key: readFileSync(paths.key(file), 'utf8') };
  };
  const own = await sign(api.folder);
  assert.equal((await get('/api/v1/namespaces/default/pods', own))[0], 200);
  assert.equal((await get('/api/v1/namespaces/kube-system/pods', own))[0], 403);
  const foreign = await sign(join(folder, 'pki'));
  assert.equal((await get('/healthz', foreign))[0], 401);
});

test('all of it is in the audit log, and no token is', async () => {
  await ok('get', 'pods', '--as=jane');
  const text = readFileSync(auditLogPath, 'utf8');
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, never>);
  const found = events.filter(
    ({ impersonatedUser, verb }) =>
      verb === 'list' && (impersonatedUser as { username?: string } | undefined)?.username === 'jane',
  );
  assert.ok(found.length > 0);
  assert.ok(!text.includes('eyJhbGciOi'), 'no JWT');
});
