/** Webhooks through real requests and real TLS on loopback. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../../../test/support/api.ts';
import { sharedStore } from '../../../../test/support/shared-store.ts';
import { startWebhook, type Reply, type ReviewRequest, type WebhookServer } from '../../../../test/support/webhook.ts';

let api: TestApi;
let hook: WebhookServer;
let reply: (path: string, request: ReviewRequest, response: ServerResponse) => Reply;

before(async () => {
  api = await startTestApi();
  hook = await startWebhook('hook.default.svc', (...asked) => reply(...asked));
});
after(async () => {
  await api.stop();
  await hook.stop();
});
beforeEach(() => {
  hook.seen.length = 0;
  reply = () => ({ allowed: true });
});

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const merge = { 'content-type': 'application/merge-patch+json' };
const everything = { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] };

type Type = 'validating' | 'mutating';

/** One configuration of webhooks at `/NAME`, for the time of `work`. */
async function withWebhooks(
  type: Type,
  webhooks: Record<string, unknown>[],
  work: () => Promise<void>,
  name = 'test',
): Promise<void> {
  const path = `${CONFIGURATIONS}/${type}webhookconfigurations`;
  const filled = webhooks.map((each, index) => ({
    name: `hook${String(index)}.example.com`,
    clientConfig: { url: `${hook.url}/${String(index)}`, caBundle: hook.caBundle },
    rules: [everything],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...each,
  }));
  const made = await api.request('POST', path, { body: { metadata: { name }, webhooks: filled } });
  assert.equal(made.status, 201, made.text);
  try {
    await work();
  } finally {
    assert.equal((await api.request('DELETE', `${path}/${name}`)).status, 200);
  }
}

let count = 0;
function create(more: object = {}, query = {}): Promise<TestAnswer> {
  const metadata = { name: `map-${String((count += 1))}` };
  return api.request('POST', CONFIG_MAPS, { body: { metadata, data: { a: 'b' }, ...more }, query });
}
const warnings = ({ headers }: TestAnswer) => [headers['warning'] ?? []].flat();
const patchOf = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
const label = (name: string, value = 'yes') => ({ op: 'add', path: `/data/${name}`, value });

const denials: [what: string, said: object, code: number, reason: string | undefined, message: string][] = [
  ['nothing to say', {}, 400, undefined, 'without explanation'],
  ['a message', { status: { message: 'no blue ones' } }, 400, undefined, ': no blue ones'],
  ['a reason', { status: { reason: 'Blue' } }, 400, 'Blue', ': Blue'],
  ['a code', { status: { message: 'later', code: 429, reason: 'TooManyRequests' } }, 429, 'TooManyRequests', ': later'],
  ['a code of success', { status: { message: 'no', code: 200 } }, 400, undefined, ': no'],
];
for (const [what, said, code, reason, message] of denials) {
  test(`a webhook that denies with ${what}`, async () => {
    reply = () => ({ allowed: false, ...said });
    await withWebhooks('validating', [{}], async () => {
      const { json, status } = await create();
      const text = `admission webhook "hook0.example.com" denied the request${message.startsWith(':') ? '' : ' '}${message}`;
      assert.deepEqual([status, json.reason, json.message], [code, reason, text]);
      assert.equal(hook.seen.length, 1, 'asked once');
    });
  });
}

/** What can go wrong on the way, and how the message ends. */
const FAILURES: [what: string, webhook: () => object, said: typeof reply, why: RegExp][] = [
  ['it does not answer in time', () => ({ timeoutSeconds: 1 }), () => undefined, /: context deadline exceeded$/],
  [
    'nobody listens',
    () => ({ clientConfig: { url: 'https://127.0.0.1:1/', caBundle: hook.caBundle } }),
    () => '',
    /ECONNREFUSED/,
  ],
  [
    'its CA is not told',
    () => ({ clientConfig: { url: hook.url } }),
    () => '',
    /: tls: failed to verify certificate: /,
  ],
  [
    'its certificate is for another name',
    () => ({ clientConfig: { url: `https://localhost:${String(hook.port)}`, caBundle: hook.caBundle } }),
    () => '',
    /: tls: failed to verify certificate: .*localhost/,
  ],
  [
    'it answers with an error',
    () => ({}),
    (_path, _request, response) => {
      response.statusCode = 503;
      return '{}';
    },
    /: unexpected status 503$/,
  ],
  ['it answers no JSON', () => ({}), () => '<html>', /: the answer is not JSON$/],
  ['it answers without end', () => ({}), () => `"${'x'.repeat(4 << 20)}"`, /: the answer is longer than \d+ bytes$/],
  [
    'it answers something else',
    () => ({}),
    () => '{"kind":"Pod"}',
    /expected webhook response of admission.k8s.io\/v1, Kind=AdmissionReview, got , Kind=Pod$/,
  ],
  [
    'it answers another question',
    () => ({}),
    () => ({ allowed: true, uid: 'other' }),
    /expected response.uid=".+", got "other"$/,
  ],
  [
    'it sends a patch of no type',
    () => ({}),
    () => ({ allowed: true, patch: 'W10=' }),
    /webhook returned response.patch but not response.patchType$/,
  ],
  [
    'its Service is not there',
    () => ({ clientConfig: { service: { name: 'none', namespace: 'default' } } }),
    () => '',
    /service "none" not found$/,
  ],
];
for (const [what, webhook, said, why] of FAILURES) {
  test(`a webhook fails when ${what}: refused or ignored, as it says`, async () => {
    reply = said;
    await withWebhooks('validating', [{ ...webhook(), failurePolicy: 'Fail' }], async () => {
      const { status, json } = await create();
      assert.equal(status, 500);
      assert.match(json.message, /^Internal error occurred: failed calling webhook "hook0.example.com": /);
      assert.match(json.message, why);
    });
    await withWebhooks('validating', [{ ...webhook(), failurePolicy: 'Ignore' }], async () => {
      assert.equal((await create()).status, 201);
    });
  });
}

test('what a webhook is told about a create, an update and a delete', async () => {
  await withWebhooks('validating', [{}], async () => {
    const user = { name: 'anna', groups: ['system:masters', 'dev'], extra: { team: ['a'] } };
    const made = await api.request('POST', CONFIG_MAPS, {
      body: { metadata: { name: 'told' }, data: { a: '1' } },
      user,
    });
    await api.request('PATCH', `${CONFIG_MAPS}/told`, { headers: merge, body: { data: { a: '2' } } });
    await api.request('DELETE', `${CONFIG_MAPS}/told`);
    const [create, update, remove] = hook.seen.map(({ request }) => request);
    assert.ok(create && update && remove);
    assert.equal(hook.seen[0]?.path, '/0?timeout=10s');
    assert.deepEqual(
      [
        create.kind,
        create.resource,
        create.requestKind,
        create.operation,
        create.name,
        create.namespace,
        create.dryRun,
      ],
      [
        { group: '', version: 'v1', kind: 'ConfigMap' },
        { group: '', version: 'v1', resource: 'configmaps' },
        create.kind,
        'CREATE',
        'told',
        'default',
        false,
      ],
    );
    assert.deepEqual(create.userInfo, { username: 'anna', groups: user.groups, extra: user.extra });
    assert.deepEqual(
      [create.oldObject, create.object.data, create.object.metadata.uid],
      [null, { a: '1' }, made.json.metadata.uid],
    );
    assert.deepEqual([update.operation, update.oldObject.data, update.object.data], ['UPDATE', { a: '1' }, { a: '2' }]);
    assert.deepEqual([remove.operation, remove.object, remove.oldObject.data], ['DELETE', null, { a: '2' }]);
    assert.deepEqual(remove.options, { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' });
  });
});

test('a deletion that is denied does not happen', async () => {
  const { json } = await create();
  const path = `${CONFIG_MAPS}/${String(json.metadata.name)}`;
  reply = (_path, { operation }) => ({ allowed: operation !== 'DELETE' });
  await withWebhooks('validating', [{}], async () => {
    assert.equal((await api.request('DELETE', path)).status, 400);
    assert.equal((await api.request('GET', path)).status, 200);
    const many = await api.request('DELETE', CONFIG_MAPS, {
      query: { fieldSelector: `metadata.name=${String(json.metadata.name)}` },
    });
    assert.equal(many.status, 400);
  });
});

test('a status is asked about under its own name', async () => {
  const rules = [{ ...everything, resources: ['services/status'] }];
  await api.request('POST', '/api/v1/namespaces/default/services', {
    body: { metadata: { name: 'lb' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } },
  });
  await withWebhooks('validating', [{ rules }], async () => {
    const body = { status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } };
    await api.request('PATCH', '/api/v1/namespaces/default/services/lb', {
      headers: merge,
      body: { metadata: { labels: { a: 'b' } } },
    });
    const answer = await api.request('PATCH', '/api/v1/namespaces/default/services/lb/status', {
      headers: merge,
      body,
    });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(
      hook.seen.map(({ request }) => [request.subResource, request.object.status.loadBalancer.ingress.length]),
      [['status', 1]],
    );
  });
});

test('a validating webhook sees the address a Service got, and a Service it denies gives it back', async () => {
  const rules = [{ ...everything, resources: ['services'] }];
  reply = () => ({ allowed: false });
  await withWebhooks('validating', [{ rules }], async () => {
    const body = { metadata: { name: 'denied' }, spec: { clusterIP: '10.96.44.44', ports: [{ port: 80 }] } };
    assert.equal((await api.request('POST', '/api/v1/namespaces/default/services', { body })).status, 400);
    assert.deepEqual(hook.seen[0]?.request.object.spec.clusterIPs, ['10.96.44.44']);
    reply = () => ({ allowed: true });
    assert.equal((await api.request('POST', '/api/v1/namespaces/default/services', { body })).status, 201);
  });
});

test('warnings reach the client, in the order of the webhooks and also with a denial', async () => {
  reply = (path) => ({ allowed: !path.startsWith('/2'), warnings: [`from ${path.slice(0, 2)}`] });
  await withWebhooks('validating', [{}, {}], async () => {
    assert.deepEqual(warnings(await create()), ['299 - "from /0"', '299 - "from /1"']);
  });
});

test('a dry run is told, and does not ask webhooks with effects', async () => {
  await withWebhooks('validating', [{ sideEffects: 'NoneOnDryRun' }], async () => {
    assert.equal((await create({}, { dryRun: 'All' })).status, 201);
    const { dryRun, options } = hook.seen[0]?.request ?? {};
    assert.deepEqual(
      [dryRun, options],
      [true, { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', dryRun: ['All'] }],
    );
  });
});

test('a mutating webhook changes the object, what it makes is defaulted, and its identity stays', async () => {
  reply = (path) =>
    path.startsWith('/0')
      ? patchOf(label('zero'), { op: 'replace', path: '/metadata/name', value: 'other' })
      : patchOf(label('one'));
  await withWebhooks('mutating', [{}, {}], async () => {
    const { json, status } = await create();
    assert.equal(status, 201, json.message);
    assert.deepEqual(json.data, { a: 'b', zero: 'yes', one: 'yes' });
    assert.match(json.metadata.name, /^map-/);
    assert.deepEqual(hook.seen[1]?.request.object.data, { a: 'b', zero: 'yes' }, 'the second sees what the first made');
  });
  const rules = [{ ...everything, resources: ['services'] }];
  reply = () => patchOf({ op: 'add', path: '/spec/ports/-', value: { name: 'more', port: 81 } });
  await withWebhooks('mutating', [{ rules }], async () => {
    const body = { metadata: { name: 'more' }, spec: { ports: [{ name: 'first', port: 80 }] } };
    const { json } = await api.request('POST', '/api/v1/namespaces/default/services', { body });
    assert.deepEqual(json.spec.ports[1], { name: 'more', port: 81, protocol: 'TCP', targetPort: 81 });
  });
});

test('what a mutating webhook makes is validated', async () => {
  reply = () => patchOf({ op: 'add', path: '/metadata/labels', value: { 'not a label': 'x' } });
  await withWebhooks('mutating', [{}], async () => {
    const { status, json } = await create();
    assert.equal(status, 422);
    assert.match(json.message, /metadata.labels: Invalid value/);
  });
});

const BAD_PATCHES: [what: string, said: () => Reply][] = [
  ['that does not fit', () => patchOf({ op: 'remove', path: '/data/none' })],
  ['that is none', () => ({ allowed: true, patchType: 'JSONPatch', patch: Buffer.from('{').toString('base64') })],
  ['of another type', () => ({ allowed: true, patchType: 'Merge', patch: 'e30=' })],
];
for (const [what, said] of BAD_PATCHES) {
  test(`a patch ${what} is a failure of the webhook`, async () => {
    reply = said;
    await withWebhooks('mutating', [{}], async () => {
      const { status, json } = await create();
      assert.deepEqual([status, json.reason], [500, 'InternalError'], json.message);
    });
    await withWebhooks('mutating', [{ failurePolicy: 'Ignore' }], async () => {
      assert.deepEqual((await create()).json.data, { a: 'b' });
    });
  });
}

test('a webhook that wants to is asked again after others changed the object, once', async () => {
  reply = (path, { object }) =>
    patchOf(label(path.startsWith('/0') ? `saw${String(Object.keys(object.data).length)}` : 'one'));
  await withWebhooks('mutating', [{ reinvocationPolicy: 'IfNeeded' }, {}], async () => {
    const { json } = await create();
    assert.deepEqual(json.data, { a: 'b', saw1: 'yes', one: 'yes', saw3: 'yes' });
    assert.deepEqual(
      hook.seen.map(({ path }) => path[1]),
      ['0', '1', '0'],
    );
  });
  hook.seen.length = 0;
  reply = () => ({ allowed: true });
  await withWebhooks('mutating', [{ reinvocationPolicy: 'IfNeeded' }, {}], async () => {
    await create();
    assert.equal(hook.seen.length, 2, 'nothing changed: nobody is asked again');
  });
});

test('configurations are asked in the order of their names, mutating ones before validating ones', async () => {
  const at = (path: string) => ({ clientConfig: { url: `${hook.url}/${path}`, caBundle: hook.caBundle } });
  await withWebhooks('validating', [at('validate')], () =>
    withWebhooks(
      'mutating',
      [at('b')],
      () =>
        withWebhooks(
          'mutating',
          [at('a')],
          async () => {
            await create();
            assert.deepEqual(
              hook.seen.map(({ path }) => path.split('?')[0]),
              ['/a', '/b', '/validate'],
            );
          },
          'a-first',
        ),
      'b-second',
    ),
  );
});

test('a webhook that has a rule for another version of the kind sees that version', async () => {
  const rules = [{ apiGroups: ['events.k8s.io'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] }];
  reply = () => patchOf({ op: 'replace', path: '/note', value: 'changed' });
  await withWebhooks('mutating', [{ rules }], async () => {
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'web' };
    const body = { metadata: { name: 'event' }, involvedObject, reason: 'Test', message: 'before', type: 'Normal' };
    const { json } = await api.request('POST', '/api/v1/namespaces/default/events', { body });
    assert.equal(json.message, 'changed', JSON.stringify(json));
    const { kind, requestKind, object } = hook.seen[0]?.request ?? {};
    assert.deepEqual([kind?.['group'], requestKind?.['group'], object.note], ['events.k8s.io', '', 'before']);
  });
});

test('a Service is reached by its name, and its certificate must be for that name', async () => {
  const service = (name: string) => {
    const spec = { type: 'ExternalName', externalName: 'localhost' };
    return api.request('POST', '/api/v1/namespaces/default/services', { body: { metadata: { name }, spec } });
  };
  await service('hook');
  await service('impostor');
  const clientConfig = (name: string) => ({
    service: { name, namespace: 'default', path: '/by-service', port: hook.port },
    caBundle: hook.caBundle,
  });
  await withWebhooks('validating', [{ clientConfig: clientConfig('hook') }], async () => {
    const answer = await create();
    assert.equal(answer.status, 201, answer.text);
    assert.equal(hook.seen[0]?.path, '/by-service?timeout=10s');
  });
  await withWebhooks('validating', [{ clientConfig: clientConfig('impostor') }], async () => {
    const { json } = await create();
    assert.match(
      json.message,
      /Post "https:\/\/impostor.default.svc:\d+\/by-service\?timeout=10s": tls: failed to verify certificate/,
    );
  });
});

test('nobody locks the door from inside: webhooks have no say about webhooks, nor about what the cluster needs', async () => {
  reply = () => ({ allowed: false });
  const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }];
  await withWebhooks('validating', [{ rules }], async () => {
    assert.equal((await create()).status, 400);
    await api.store.commit([{ type: 'delete', key: '/registry/core/endpoints/default/kubernetes' }]);
    const another = await startTestApi({ store: sharedStore(api.store) });
    const path = '/api/v1/namespaces/default/endpoints/kubernetes';
    assert.equal((await another.request('GET', path)).status, 200, 'made again');
    await another.stop();
  });
});

test('no webhook says who asks for a certificate', async () => {
  const rules = [{ apiGroups: ['certificates.k8s.io'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['*'] }];
  reply = () => patchOf({ op: 'replace', path: '/spec/username', value: 'system:admin' });
  await withWebhooks('mutating', [{ rules }], async () => {
    const user = { name: 'anna', groups: ['system:masters'] };
    const pem = '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n';
    const request = Buffer.from(pem).toString('base64');
    const spec = { request, signerName: 'example.com/a', usages: ['client auth'] };
    const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
    const body = { metadata: { name: 'csr' }, spec };
    const answer = await api.request('POST', path, { body, user, query: { dryRun: 'All' } });
    assert.equal(answer.status, 201, answer.text);
    assert.equal(hook.seen[0]?.request.object.spec.username, 'anna');
    assert.equal(answer.json.spec.username, 'anna');
  });
});

test('a connection is used again, and one that was closed meanwhile is no failure', async () => {
  await withWebhooks('validating', [{}], async () => {
    const before = hook.connections();
    for (let turn = 0; turn < 5; turn++) assert.equal((await create()).status, 201);
    assert.ok(hook.connections() - before <= 1, 'one handshake at most');
    hook.dropConnections();
    assert.equal((await create()).status, 201);
  });
});

test('conditions that nobody here could evaluate are refused', async () => {
  const body = {
    metadata: { name: 'cel' },
    webhooks: [
      {
        name: 'cel.example.com',
        clientConfig: { url: hook.url },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        matchConditions: [{ name: 'a', expression: 'true' }],
      },
    ],
  };
  const { status, json } = await api.request('POST', `${CONFIGURATIONS}/validatingwebhookconfigurations`, { body });
  assert.equal(status, 422);
  assert.match(json.message, /webhooks\[0\].matchConditions: Forbidden: this server does not evaluate CEL expressions/);
});
