/** What a client may ask of a write besides the object: dry runs, validation, preconditions, propagation (features 8-015, 8-077 to 8-084). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const NS = '/api/v1/namespaces/default';
const MAPS = `${NS}/configmaps`;
const APPS = '/apis/apps/v1/namespaces/default';
const BATCH = '/apis/batch/v1/namespaces/default';

type Query = Record<string, string>;

const map = (name: string, more: object = {}) => ({ metadata: { name, ...more }, data: { a: '1' } });
const patch = (path: string, type: string, body: unknown, query: Query = {}): Promise<TestAnswer> =>
  api.request('PATCH', path, { headers: { 'content-type': `application/${type}` }, body, query });
function ok(answer: TestAnswer, status = 200): TestAnswer {
  assert.equal(answer.status, status, answer.text);
  return answer;
}
const warningsOf = ({ headers }: TestAnswer): string[] => [headers['warning'] ?? []].flat();

const template = (app: string, more: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image: 'i' }], ...more },
});
const workload = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...more },
});
const never = { restartPolicy: 'Never' };

/** Everything with a template: where it is, what it looks like, a field of its status. */
const workloads: [plural: string, path: string, body: (name: string) => object, status: object, scalable: boolean][] = [
  ['deployments', APPS, workload, { replicas: 2 }, true],
  ['replicasets', APPS, workload, { replicas: 2 }, true],
  ['statefulsets', APPS, (name) => workload(name, { serviceName: name }), { replicas: 2 }, true],
  [
    'daemonsets',
    APPS,
    workload,
    { numberReady: 2, currentNumberScheduled: 2, desiredNumberScheduled: 2, numberMisscheduled: 0 },
    false,
  ],
  ['jobs', BATCH, (name) => ({ metadata: { name }, spec: { template: template(name, never) } }), { active: 2 }, false],
  [
    'cronjobs',
    BATCH,
    (name) => ({
      metadata: { name },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template(name, never) } } },
    }),
    { lastScheduleTime: '2026-01-01T00:00:00Z' },
    false,
  ],
  [
    'replicationcontrollers',
    NS,
    (name) => ({ metadata: { name }, spec: { selector: { app: name }, template: template(name) } }),
    { replicas: 2 },
    true,
  ],
];

const patchesOf = (fields: Record<string, unknown>, head: object): [type: string, body: unknown, query?: Query][] => [
  ['json-patch+json', Object.entries(fields).map(([name, value]) => ({ op: 'add', path: `/${name}`, value }))],
  ['merge-patch+json', fields],
  ['strategic-merge-patch+json', fields],
  ['apply-patch+yaml', { ...head, ...fields }, { fieldManager: 'tester', force: 'true' }],
];

describe('status and scale of every workload', () => {
  for (const [plural, root, body, status, scalable] of workloads) {
    test(`${plural}: all patches of /status change status and nothing else`, async () => {
      for (const [index, type] of [
        'json-patch+json',
        'merge-patch+json',
        'strategic-merge-patch+json',
        'apply-patch+yaml',
      ].entries()) {
        const name = `st${String(index)}`;
        const path = `${root}/${plural}/${name}`;
        const { json: made } = ok(await api.request('POST', `${root}/${plural}`, { body: body(name) }), 201);
        const head = { apiVersion: made.apiVersion, kind: made.kind, metadata: { name } };
        const [, sent, query = {}] = patchesOf({ status }, head).find(([each]) => each === type) ?? [];
        const { json } = ok(await patch(`${path}/status`, type, sent, query));
        assert.deepEqual({ ...json.status, ...status }, json.status, type);
        assert.deepEqual(json.spec, made.spec);
        assert.equal(json.metadata.generation, made.metadata.generation);
        const { json: main } = ok(await patch(path, 'merge-patch+json', { status: { conditions: [] } }));
        assert.deepEqual(main.status, json.status, 'the object itself does not take status');
      }
    });

    test(`${plural}: ${scalable ? 'all patches of /scale set the number' : 'there is no /scale'}`, async () => {
      const path = `${root}/${plural}/st0/scale`;
      const head = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'st0' } };
      let wanted = 3;
      for (const [type, , query = {}] of patchesOf({}, head)) {
        const spec = { replicas: ++wanted };
        const [, sent] = patchesOf({ spec }, head).find(([each]) => each === type) ?? [];
        const answer = await patch(path, type, sent, query);
        if (!scalable) {
          assert.equal(answer.status, 404);
          continue;
        }
        assert.deepEqual([ok(answer).json.kind, answer.json.spec], ['Scale', spec], type);
        const { json } = await api.request('GET', path.replace('/scale', ''));
        assert.equal(json.spec.replicas, wanted);
      }
    });
  }

  test('an applied Scale owns the number, and is refused where another does', async () => {
    const path = `${APPS}/deployments/st1`;
    const scale = (replicas: number) => ({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'st1' },
      spec: { replicas },
    });
    const apply = (replicas: number, fieldManager: string) =>
      patch(`${path}/scale`, 'apply-patch+yaml', scale(replicas), { fieldManager });
    ok(await patch(path, 'merge-patch+json', { spec: { replicas: 7 } }, { fieldManager: 'me' }));
    const refused = await apply(8, 'scaler');
    assert.equal(
      refused.json.message,
      'Apply failed with 1 conflict: conflict with "me" using apps/v1: .spec.replicas',
    );
    assert.equal((await apply(-1, 'scaler')).status, 422);
    ok(await apply(7, 'scaler'));
    const { json } = await api.request('GET', path);
    const entries = json.metadata.managedFields as { manager: string; subresource?: string; fieldsV1: unknown }[];
    const entry = entries.find(({ manager }) => manager === 'scaler');
    assert.deepEqual([entry?.subresource, entry?.fieldsV1], ['scale', { 'f:spec': { 'f:replicas': {} } }]);
  });
});

describe('a dry run answers as the write would and stores nothing', () => {
  const dry = { dryRun: 'All' };
  const quiet = async (write: () => Promise<TestAnswer>): Promise<TestAnswer> => {
    const before = api.store.revision();
    const answer = await write();
    assert.equal(api.store.revision(), before, 'nothing is stored');
    return answer;
  };

  test('create, update, the four patches, scale, status, delete and deletecollection', async () => {
    ok(await api.request('POST', MAPS, { body: map('dry') }), 201);
    ok(await api.request('POST', `${APPS}/deployments`, { body: workload('dry') }), 201);
    const made = await quiet(() => api.request('POST', MAPS, { body: map('new'), query: dry }));
    assert.equal(made.status, 201);
    assert.deepEqual([made.json.metadata.resourceVersion, typeof made.json.metadata.uid], [undefined, 'string']);
    assert.equal((await quiet(() => api.request('POST', MAPS, { body: map('dry'), query: dry }))).status, 409);
    const put = await quiet(() =>
      api.request('PUT', `${MAPS}/dry`, { body: { ...map('dry'), data: { a: '2' } }, query: dry }),
    );
    assert.equal(ok(put).json.data.a, '2');
    const head = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dry' } };
    for (const [type, body, query = {}] of patchesOf({ data: { b: '2' } }, head)) {
      assert.equal(
        ok(await quiet(() => patch(`${MAPS}/dry`, type, body, { ...query, ...dry }))).json.data.b,
        '2',
        type,
      );
    }
    const fresh = { ...head, metadata: { name: 'fresh' } };
    ok(await quiet(() => patch(`${MAPS}/fresh`, 'apply-patch+yaml', fresh, { fieldManager: 'a', ...dry })), 201);
    const deployment = `${APPS}/deployments/dry`;
    const scaled = await quiet(() => patch(`${deployment}/scale`, 'merge-patch+json', { spec: { replicas: 5 } }, dry));
    assert.equal(ok(scaled).json.spec.replicas, 5);
    const status = await quiet(() =>
      patch(`${deployment}/status`, 'merge-patch+json', { status: { replicas: 5 } }, dry),
    );
    assert.equal(ok(status).json.status.replicas, 5);
    ok(await quiet(() => api.request('DELETE', `${MAPS}/dry`, { query: dry })));
    ok(await quiet(() => api.request('DELETE', `${MAPS}/dry`, { body: { dryRun: ['All'] } })));
    ok(await quiet(() => api.request('DELETE', MAPS, { query: dry })));
  });

  test('a Service of a dry run takes no address', async () => {
    const body = {
      metadata: { name: 'dry' },
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }], clusterIP: '10.96.77.7' },
    };
    ok(await quiet(() => api.request('POST', `${NS}/services`, { body, query: dry })), 201);
    ok(await api.request('POST', `${NS}/services`, { body: { ...body, metadata: { name: 'wet' } } }), 201);
  });

  test('an eviction may say so in its own delete options', async () => {
    ok(
      await api.request('POST', `${NS}/pods`, { body: { metadata: { name: 'evicted' }, spec: template('e').spec } }),
      201,
    );
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'evicted' } };
    const evict = (more: object) =>
      api.request('POST', `${NS}/pods/evicted/eviction`, { body: { ...eviction, ...more } });
    ok(await quiet(() => evict({ deleteOptions: { dryRun: ['All'] } })), 201);
    assert.equal((await quiet(() => evict({ deleteOptions: { dryRun: ['Some'] } }))).status, 422);
    ok(await evict({}), 201);
    assert.equal((await api.request('GET', `${NS}/pods/evicted`)).status, 404);
  });

  const verbs: [method: string, path: string, kind: string][] = [
    ['POST', MAPS, 'CreateOptions'],
    ['PUT', `${MAPS}/dry`, 'UpdateOptions'],
    ['PATCH', `${MAPS}/dry`, 'PatchOptions'],
    ['DELETE', `${MAPS}/dry`, 'DeleteOptions'],
  ];
  for (const [method, path, kind] of verbs) {
    test(`${method} refuses another value`, async () => {
      const { status, json } = await api.request(method, path, {
        body: method === 'DELETE' ? undefined : map('dry'),
        headers: method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {},
        query: { dryRun: 'Some' },
      });
      assert.equal(status, 422);
      assert.equal(
        json.message,
        `${kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"`,
      );
    });
  }
});

describe('fieldValidation', () => {
  const unknown = 'unknown field "data2"';
  const body = '{"metadata":{"name":"fv"},"data2":{},"data":{"a":"1","a":"2"}}';
  const twice = 'duplicate field "data.a"';
  const writes: [what: string, send: (query: Query) => Promise<TestAnswer>, problems: string[], strict: RegExp][] = [
    [
      'create',
      (query) => api.request('POST', MAPS, { body: body.replace('fv', 'fc'), query: { ...query, dryRun: 'All' } }),
      [unknown, twice],
      /^ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "data2", duplicate field "data.a"$/,
    ],
    [
      'update',
      (query) => api.request('PUT', `${MAPS}/fv`, { body, query }),
      [unknown, twice],
      /strict decoding error: unknown field "data2", duplicate field "data.a"$/,
    ],
    [
      'merge patch',
      (query) => patch(`${MAPS}/fv`, 'merge-patch+json', '{"data2":{},"data":{"a":"1","a":"2"}}', query),
      [twice, unknown],
      /^ "" is invalid: patch: Invalid value: .*: strict decoding error: duplicate field "data.a", unknown field "data2"$/,
    ],
    [
      'strategic patch',
      (query) => patch(`${MAPS}/fv`, 'strategic-merge-patch+json', '{"data2":{"x":1}}', query),
      [unknown],
      /: strict decoding error: unknown field "data2"$/,
    ],
    [
      'JSON patch',
      (query) =>
        patch(
          `${MAPS}/fv`,
          'json-patch+json',
          '[{"op":"add","path":"/data2","value":{"x":1},"foo":1,"op":"add"}]',
          query,
        ),
      ['json patch unknown field "[0].foo"', 'json patch duplicate field "[0].op"', unknown],
      /: strict decoding error: json patch unknown field "\[0\].foo", json patch duplicate field "\[0\].op", unknown field "data2"$/,
    ],
    [
      'YAML create',
      (query) =>
        api.request('POST', MAPS, {
          body: 'metadata:\n  name: fy\ndata:\n  a: "1"\n  a: "2"\n',
          headers: { 'content-type': 'application/yaml' },
          query: { ...query, dryRun: 'All' },
        }),
      ['yaml: unmarshal errors:   line 5: key "a" already set in map'],
      /strict decoding error: yaml: unmarshal errors:\n {2}line 5: key "a" already set in map$/,
    ],
  ];
  before(async () => {
    ok(await api.request('POST', MAPS, { body: map('fv') }), 201);
  });
  for (const [what, send, problems, strict] of writes) {
    test(`of a ${what}: Ignore says nothing, Warn warns, Strict refuses`, async () => {
      assert.deepEqual(warningsOf(await send({ fieldValidation: 'Ignore' })), []);
      for (const query of [{}, { fieldValidation: 'Warn' }]) {
        const answer = await send(query as Query);
        assert.ok(answer.status < 300, answer.text);
        assert.deepEqual(
          warningsOf(answer),
          problems.map((text) => `299 - "${text.replaceAll('"', '\\"')}"`),
        );
      }
      const { status, json } = await send({ fieldValidation: 'Strict' });
      assert.ok(status === 400 || status === 422, json.message);
      assert.match(json.message, strict);
    });
  }
  test('another value is refused by the name of the verb', async () => {
    const { json } = await api.request('PUT', `${MAPS}/fv`, { body: map('fv'), query: { fieldValidation: 'Maybe' } });
    assert.match(
      json.message,
      /^UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"$/,
    );
  });
});

describe('delete options', () => {
  test('a deletecollection takes selectors, a limit and preconditions', async () => {
    for (const name of ['dc1', 'dc2', 'dc3', 'dc4'])
      ok(await api.request('POST', MAPS, { body: map(name, { labels: { dc: 'yes' } }) }), 201);
    const left = async () => {
      const { json } = await api.request('GET', MAPS, { query: { labelSelector: 'dc=yes' } });
      return (json.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    };
    const remove = (query: Query, body?: object) => api.request('DELETE', MAPS, { query, ...(body && { body }) });
    const stale = await remove({ labelSelector: 'dc=yes' }, { preconditions: { uid: 'x' } });
    assert.equal(stale.status, 409);
    assert.equal((await left()).length, 4);
    ok(await remove({ labelSelector: 'dc=yes', limit: '1' }));
    assert.equal((await left()).length, 3);
    ok(await remove({ fieldSelector: 'metadata.name=dc3' }));
    assert.deepEqual(await left(), ['dc2', 'dc4']);
    ok(await remove({ labelSelector: 'dc=yes' }));
    assert.deepEqual(await left(), []);
  });

  test('without a policy the dependents of Jobs and ReplicationControllers stay, and Jobs say so', async () => {
    ok(
      await api.request('POST', `${BATCH}/jobs`, {
        body: { metadata: { name: 'o' }, spec: { template: template('o', never) } },
      }),
      201,
    );
    const job = await api.request('DELETE', `${BATCH}/jobs/o`);
    assert.deepEqual(job.json.metadata.finalizers, ['orphan']);
    assert.match(
      warningsOf(job)[0] ?? '',
      /^299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background/,
    );
    const told = await api.request('DELETE', `${BATCH}/jobs/o`, { body: { propagationPolicy: 'Background' } });
    assert.deepEqual([told.status, warningsOf(told)], [200, []]);
    const body = { metadata: { name: 'o' }, spec: { selector: { app: 'o' }, template: template('o') } };
    ok(await api.request('POST', `${NS}/replicationcontrollers`, { body }), 201);
    const controller = await api.request('DELETE', `${NS}/replicationcontrollers/o`);
    assert.deepEqual(controller.json.metadata.finalizers, ['orphan']);
    ok(await api.request('POST', `${APPS}/deployments`, { body: workload('o') }), 201);
    assert.equal((await api.request('DELETE', `${APPS}/deployments/o`)).json.status, 'Success');
  });

  const bodies: [what: string, body: object, status: number, text: RegExp][] = [
    [
      'both ways to orphan',
      { orphanDependents: true, propagationPolicy: 'Orphan' },
      422,
      /propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set/,
    ],
    ['no number of seconds', { gracePeriodSeconds: 'x' }, 422, /gracePeriodSeconds/],
    ['another kind', { kind: 'Pod' }, 400, /DeleteOptions/],
    [
      'another incarnation',
      { preconditions: { uid: 'x' } },
      409,
      /Precondition failed: UID in precondition: x, UID in object meta: /,
    ],
    [
      'another version',
      { preconditions: { resourceVersion: '1' } },
      409,
      /Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: \d+/,
    ],
  ];
  for (const [what, body, status, text] of bodies) {
    test(`${what} is refused`, async () => {
      await api.request('POST', MAPS, { body: map('kept') });
      const answer = await api.request('DELETE', `${MAPS}/kept`, { body });
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.json.message, text);
    });
  }

  test('a grace of less than nothing is one second', async () => {
    ok(
      await api.request('POST', `${NS}/pods`, { body: { metadata: { name: 'grace' }, spec: template('g').spec } }),
      201,
    );
    ok(
      await api.request('POST', `${NS}/pods/grace/binding`, {
        body: { metadata: { name: 'grace' }, target: { name: 'n' } },
      }),
      201,
    );
    const { json } = await api.request('DELETE', `${NS}/pods/grace`, { body: { gracePeriodSeconds: -1 } });
    assert.equal(json.metadata.deletionGracePeriodSeconds, 1);
  });
});

test('an owner named twice counts once, with a warning', async () => {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u-1' };
  const other = { ...owner, uid: 'u-2' };
  const made = ok(
    await api.request('POST', MAPS, { body: map('owned', { ownerReferences: [owner, other, owner] }) }),
    201,
  );
  assert.deepEqual(made.json.metadata.ownerReferences, [owner, other]);
  assert.deepEqual(warningsOf(made), [
    '299 - ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: u-1"',
  ]);
  const patched = ok(
    await patch(`${MAPS}/owned`, 'merge-patch+json', { metadata: { ownerReferences: [other, other] } }),
  );
  assert.deepEqual(patched.json.metadata.ownerReferences, [other]);
  assert.match(warningsOf(patched)[0] ?? '', /observed: u-2"$/);
});

test('where every generated name is taken, the client is told to try again', async () => {
  const own = await startTestApi();
  try {
    Object.assign(own.server.core, { random: () => 0 });
    const create = () => own.request('POST', MAPS, { body: { metadata: { generateName: 'gen-' } } });
    assert.equal((await create()).json.metadata.name, 'gen-bbbbb');
    const { status, json, headers } = await create();
    assert.equal(status, 409);
    assert.equal(
      json.message,
      'configmaps "gen-bbbbb" already exists, the server was not able to generate a unique name for the object',
    );
    assert.deepEqual([json.reason, json.details.retryAfterSeconds, headers['retry-after']], ['AlreadyExists', 1, '1']);
  } finally {
    await own.stop();
  }
});

test('a failing test of a JSON patch is 422 and leaves the object alone (8-067)', async () => {
  ok(await api.request('POST', MAPS, { body: map('tested') }), 201);
  const operations = [
    { op: 'replace', path: '/data/a', value: '2' },
    { op: 'test', path: '/data/a', value: '1' },
  ];
  const answer = await patch(`${MAPS}/tested`, 'json-patch+json', operations);
  assert.deepEqual([answer.status, answer.json.reason], [422, 'Invalid']);
  assert.match(answer.json.message, /^the server rejected our request due to an error in our request/);
  assert.equal((await api.request('GET', `${MAPS}/tested`)).json.data.a, '1');
});

test('pods/resize is refused with a reason', async () => {
  const answer = await patch(`${NS}/pods/any/resize`, 'strategic-merge-patch+json', { spec: {} });
  assert.deepEqual([answer.status, answer.json.reason], [404, 'NotFound']);
  assert.match(answer.json.message, /^pods\/resize is not served here: /);
});
