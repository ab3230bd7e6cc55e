import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';
import { FakeClock } from '../../lib/clock.ts';
import type { LogFile } from './log-file.ts';
import { parsePolicy } from './policy.ts';
import { Audit } from './trail.ts';

const admin = { peer: { subject: { CN: 'kubernetes-admin', O: 'system:masters' } } };
const NOW = Date.parse('2026-11-28T12:00:00Z');

/** A server that logs by these rules into memory. */
async function audited(t: TestContext, rules: string) {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const events: any[] = [];
  const file: LogFile = {
    written: 0,
    lost: 0,
    write: (line) => events.push(JSON.parse(line)),
    room: () => undefined,
    close: () => Promise.resolve(),
  };
  const policy = parsePolicy(`{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [${rules}]}`);
  const clock = new FakeClock(NOW);
  const api = await startTestApi({ clock, audit: new Audit(policy, file, clock) });
  t.after(() => api.stop());
  return { api, events };
}

const stages = (events: { stage: string; responseStatus?: { code: number } }[]) =>
  events.map(({ stage, responseStatus }) => `${stage} ${String(responseStatus?.code ?? '')}`.trim());

test('a request is an event when it comes and one when it is answered, in Kubernetes words', async (t) => {
  const { api, events } = await audited(t, '{level: Metadata}');
  const headers = { 'user-agent': 'kubectl/v1.33', 'audit-id': 'mine-1', 'x-forwarded-for': '10.1.1.1, 10.2.2.2' };
  const path = '/api/v1/namespaces/default/configmaps?fieldManager=me';
  const body = { metadata: { name: 'a' }, data: { password: 'hunter2' } };
  const answer = await api.knock('POST', path, { ...admin, headers, body });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers['audit-id'], 'mine-1');
  const common = {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: 'mine-1',
    requestURI: path,
    verb: 'create',
    user: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
    sourceIPs: ['10.1.1.1', '10.2.2.2', '127.0.0.1'],
    userAgent: 'kubectl/v1.33',
    requestReceivedTimestamp: '2026-11-28T12:00:00.000000Z',
    stageTimestamp: '2026-11-28T12:00:00.000000Z',
  };
  const objectRef = { resource: 'configmaps', namespace: 'default', apiVersion: 'v1' };
  assert.deepEqual(events, [
    { ...common, stage: 'RequestReceived', objectRef },
    {
      ...common,
      stage: 'ResponseComplete',
      objectRef: { ...objectRef, name: 'a' },
      responseStatus: { metadata: {}, code: 201 },
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    },
  ]);
});

test('no content is logged at Metadata, and what was asked for above it', async (t) => {
  const { api, events } = await audited(
    t,
    '{level: Metadata, resources: [{group: "", resources: [secrets, serviceaccounts/token]}]}, {level: Request, verbs: [create]}, {level: RequestResponse, omitManagedFields: true}',
  );
  const post = (plural: string, body: object) =>
    api.knock('POST', `/api/v1/namespaces/default/${plural}`, { ...admin, body });
  await post('secrets', { metadata: { name: 's' }, stringData: { key: 'hunter2' } });
  await post('serviceaccounts/default/token', { spec: {} });
  assert.ok(!/hunter2|aHVudGVyMg|"token":/.test(JSON.stringify(events)), 'no secret and no token');
  events.length = 0;
  await post('configmaps', { metadata: { name: 'a' }, data: { a: '1' } });
  assert.deepEqual(events.at(-1).requestObject.data, { a: '1' });
  assert.equal(events.at(-1).responseObject, undefined);
  await api.knock('GET', '/api/v1/namespaces/default/configmaps/a', admin);
  assert.deepEqual(events.at(-1).responseObject.data, { a: '1' });
  assert.equal(events.at(-1).responseObject.metadata.managedFields, undefined);
});

test('a refusal is logged with its reason, bad credentials without a user', async (t) => {
  const { api, events } = await audited(t, '{level: Metadata, omitStages: [RequestReceived]}');
  const refused = await api.knock('GET', '/api/v1/nodes', { peer: { subject: { CN: 'jane' } } });
  assert.equal(refused.status, 403);
  assert.equal(events[0].responseStatus.reason, 'Forbidden');
  assert.match(events[0].responseStatus.message, /User "jane" cannot list resource "nodes"/);
  assert.equal(events[0].annotations['authorization.k8s.io/decision'], 'forbid');
  const bad = await api.knock('GET', '/api/v1/nodes', { headers: { authorization: 'Bearer secret-of-mine' } });
  assert.equal(bad.status, 401);
  assert.equal(events[1].responseStatus.code, 401);
  assert.deepEqual(events[1].user, { username: '', groups: [] });
  assert.ok(!JSON.stringify(events).includes('secret-of-mine'));
});

test('who is impersonated stands beside who does it', async (t) => {
  const { api, events } = await audited(t, '{level: Metadata, omitStages: [RequestReceived]}');
  await api.knock('GET', '/api/v1/nodes', { ...admin, impersonation: [['impersonate-user', 'jane']] });
  assert.equal(events[0].user.username, 'kubernetes-admin');
  assert.deepEqual(events[0].impersonatedUser, { username: 'jane', groups: ['system:authenticated'] });
  assert.equal(events[0].responseStatus.code, 403);
});

test('a watch is logged when it begins and once more when it ends', async (t) => {
  const { api, events } = await audited(t, '{level: RequestResponse, omitStages: [RequestReceived]}');
  const query = { watch: 'true', timeoutSeconds: '0' };
  await watchOnce(api, query);
  assert.deepEqual(stages(events), ['ResponseStarted 200', 'ResponseComplete 200']);
  assert.equal(events[1].verb, 'watch');
});

/** Begins and breaks off. */
async function watchOnce(api: TestApi, query: Record<string, string>): Promise<void> {
  const { answerRaw } = await import('../answer-raw.ts');
  const { apiRequest } = await import('../../../test/support/api.ts');
  const { user: _user, ...request } = apiRequest('GET', '/api/v1/configmaps', { query });
  const response = await answerRaw(api.server, { ...request, ...admin, impersonation: [], search: '' });
  if (typeof response.body === 'object' && 'start' in response.body) {
    const stop = response.body.start({ write: () => {}, pending: () => 0, drained: setImmediate, end: () => {} });
    stop();
  }
}

test('what was written and lost is counted', async (t) => {
  const { api } = await audited(t, '{level: Metadata}');
  const { text } = await api.knock('GET', '/metrics', admin);
  assert.match(text, /^# TYPE apiserver_audit_event_total counter$/m);
  assert.match(text, /^apiserver_audit_error_total\{plugin="log"\} 0$/m);
});

test('every answer has an Audit-Id, with and without a log', async (t) => {
  const { api, events } = await audited(t, '{level: None}');
  const first = await api.knock('GET', '/healthz', {});
  const second = await api.knock('GET', '/healthz', { headers: { 'audit-id': 'with\nnewline' } });
  for (const { headers } of [first, second]) assert.match(String(headers['audit-id']), /^[0-9a-f-]{36}$/);
  assert.notEqual(first.headers['audit-id'], second.headers['audit-id']);
  assert.deepEqual(events, []);
});
