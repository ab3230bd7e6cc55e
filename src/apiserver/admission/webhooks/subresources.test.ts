/** What webhooks see of subresources, and that they have a say. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../../test/support/api.ts';
import { startWebhook, type Reply, type WebhookServer } from '../../../../test/support/webhook.ts';
import { PODS } from '../../../api/kinds.ts';
import { LOOPBACK } from '../../request.ts';
import { admitConnection } from '../face.ts';

const CORE = '/api/v1/namespaces/default';
const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/web';
const merge = { 'content-type': 'application/merge-patch+json' };

let api: TestApi;
let hook: WebhookServer;
let reply: () => Reply = () => ({ allowed: true });
before(async () => {
  api = await startTestApi();
  hook = await startWebhook('hook.default.svc', () => reply());
  const spec = { containers: [{ name: 'a', image: 'a' }] };
  await api.request('POST', `${CORE}/pods`, { body: { metadata: { name: 'web' }, spec } });
  await api.request('POST', '/apis/apps/v1/namespaces/default/deployments', {
    body: {
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec } },
    },
  });
  await api.request('POST', `${CORE}/services`, {
    body: { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } },
  });
  const webhooks = ['mutating', 'validating'].map((type) => ({ type, name: `${type}.example.com` }));
  for (const { type, name } of webhooks) {
    const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }];
    const clientConfig = { url: `${hook.url}/${type}`, caBundle: hook.caBundle };
    const made = await api.request('POST', `/apis/admissionregistration.k8s.io/v1/${type}webhookconfigurations`, {
      body: {
        metadata: { name: type },
        webhooks: [{ name, clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'] }],
      },
    });
    assert.equal(made.status, 201, made.text);
  }
});
after(async () => {
  await api.stop();
  await hook.stop();
});

const binding = {
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'web' },
  target: { kind: 'Node', name: 'node01' },
};
const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'web' } };
const token = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['a'] } };
const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: 'b' }] } };

type Seen = [operation: string, resource: string, kind: string];
const CASES: [what: string, send: () => ReturnType<TestApi['request']>, seen: Seen][] = [
  [
    'a Scale that is patched',
    () => api.request('PATCH', `${DEPLOYMENT}/scale`, { headers: merge, body: { spec: { replicas: 3 } } }),
    ['UPDATE', 'deployments/scale', 'Scale'],
  ],
  [
    'a Binding',
    () => api.request('POST', `${CORE}/pods/web/binding`, { body: binding }),
    ['CREATE', 'pods/binding', 'Binding'],
  ],
  [
    'a debug container',
    () => api.request('PATCH', `${CORE}/pods/web/ephemeralcontainers`, { headers: merge, body: debug }),
    ['UPDATE', 'pods/ephemeralcontainers', 'Pod'],
  ],
  [
    'a token',
    () => api.request('POST', `${CORE}/serviceaccounts/default/token`, { body: token }),
    ['CREATE', 'serviceaccounts/token', 'TokenRequest'],
  ],
  [
    'an Eviction',
    () => api.request('POST', `${CORE}/pods/web/eviction`, { body: eviction }),
    ['CREATE', 'pods/eviction', 'Eviction'],
  ],
];

test('a denial of a subresource keeps it from happening', async () => {
  reply = () => ({ allowed: false });
  const before = (await api.request('GET', `${CORE}/pods/web`)).json;
  for (const [what, send] of CASES) assert.equal((await send()).status, 400, what);
  assert.equal((await api.request('GET', `${CORE}/services/web/proxy/`)).status, 400, 'a connection');
  assert.deepEqual((await api.request('GET', `${CORE}/pods/web`)).json, before);
  assert.equal((await api.request('GET', DEPLOYMENT)).json.spec.replicas, 1);
});

for (const [what, send, seen] of CASES) {
  test(`webhooks see ${what} as it is, and the object behind it is no second question`, async () => {
    reply = () => ({ allowed: true });
    hook.seen.length = 0;
    const answer = await send();
    assert.ok(answer.status < 300, answer.text);
    const told = hook.seen.map(({ path, request }): [string, ...Seen] => [
      path.slice(1, path.indexOf('?')),
      request.operation,
      `${String(request.resource['resource'])}/${request.subResource ?? ''}`,
      String(request.kind['kind']),
    ]);
    assert.deepEqual(told, [
      ['mutating', ...seen],
      ['validating', ...seen],
    ]);
    assert.equal(hook.seen[0]?.request.object.kind, seen[2]);
  });
}

test('a webhook may change the number that is asked for', async () => {
  const patch = Buffer.from(JSON.stringify([{ op: 'replace', path: '/spec/replicas', value: 2 }])).toString('base64');
  reply = () => ({
    allowed: true,
    ...(hook.seen.at(-1)?.path.startsWith('/mutating') && { patchType: 'JSONPatch', patch }),
  });
  const { json } = await api.request('PATCH', `${DEPLOYMENT}/scale`, {
    headers: merge,
    body: { spec: { replicas: 9 } },
  });
  assert.equal(json.spec.replicas, 2);
  assert.equal((await api.request('GET', DEPLOYMENT)).json.spec.replicas, 2);
});

test('an exec is a CONNECT with its command', async () => {
  reply = () => ({ allowed: true });
  hook.seen.length = 0;
  const context = { user: LOOPBACK, dryRun: false, warnings: [] };
  const query = new URLSearchParams('command=ls&command=-l&stdin=true&container=a&tty=false');
  const attributes = { kind: PODS, namespace: 'default', name: 'web', subresource: 'exec', context };
  await admitConnection(api.server.core, attributes, query);
  const { operation, kind, object } = hook.seen[0]?.request ?? {};
  assert.deepEqual(
    [operation, kind?.['kind'], object],
    [
      'CONNECT',
      'PodExecOptions',
      { kind: 'PodExecOptions', apiVersion: 'v1', stdin: true, container: 'a', command: ['ls', '-l'] },
    ],
  );
  reply = () => ({ allowed: false, status: { message: 'no shells' } });
  await assert.rejects(admitConnection(api.server.core, attributes, query), /denied the request: no shells/);
});
