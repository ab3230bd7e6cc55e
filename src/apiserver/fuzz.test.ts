/**
 * Whatever is asked, the server answers: never a 5xx that is not Kubernetes' own, never a crash, and nothing is kept of what was refused.
 * The table holds what random requests found once; FAIRWAY_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import { cpuTimeOf } from '../../test/support/cpu-time.ts';
import { fuzzRequest, manifestOf, SEEDED, type FuzzRequest } from '../../test/support/fuzz-requests.ts';
import { keyOf } from './keys.ts';
import { isStream, LOOPBACK, type ApiResponse } from './request.ts';

const ROUNDS = 8;
const REQUESTS = 500;

const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
before(() => {
  process.on('unhandledRejection', note);
});
after(() => {
  process.off('unhandledRejection', note);
});

/** What the requests before this one deleted is there again. */
async function seedObjects(api: TestApi): Promise<void> {
  for (const kind of SEEDED) {
    const namespace = kind.namespaced ? 'default' : undefined;
    if (api.server.core.cache.of(kind).get(keyOf(kind, namespace, 'web'))) continue;
    await api.client.create(kind, manifestOf(kind, 'web') as never);
  }
}

function ask(api: TestApi, { query, body, ...request }: FuzzRequest): Promise<ApiResponse> {
  const parameters = new URLSearchParams(query.map((pair): [string, string] => [...pair]));
  return api.handle({ ...request, query: parameters, body, user: LOOPBACK, remoteAddress: '127.0.0.1' });
}

/** Answers of another server that is not there: relays to Pods, Services and nodes say 502 or 503, as in Kubernetes. */
const isRelay = (path: string) => /\/(proxy|log|exec|attach|portforward)(\/|$)/.test(path);

async function check(api: TestApi, request: FuzzRequest): Promise<void> {
  await seedObjects(api);
  const before = await contents(api);
  const { status, headers, body } = await ask(api, request);
  const text = isStream(body) ? await beginning(body) : Buffer.from(body as Uint8Array).toString();
  assert.ok(Number.isInteger(status) && status >= 200, String(status));
  assert.ok(status < 500 || status === 504 || (isRelay(request.path) && (status === 502 || status === 503)), text);
  for (const value of Object.values(headers).flat()) assert.match(String(value), /^[\t\x20-\x7e\x80-\xff]*$/);
  if (status < 400) return;
  if (String(headers['content-type']).startsWith('application/json')) {
    const answer = JSON.parse(text) as { kind: string; status: string; code: number; message: string; reason: string };
    assert.deepEqual([answer.kind, answer.status, answer.code], ['Status', 'Failure', status]);
    assert.ok(answer.message !== '' && answer.reason !== '', text);
  } else assert.ok(text !== '' && !text.includes('    at '), 'a text, and no stack');
  // Item by item, and some may be gone before one is refused.
  if (request.method === 'DELETE') return;
  assert.deepEqual(await contents(api), before, 'nothing is kept of what was refused');
}

/** Key and revision of everything; without what the server itself puts into a new namespace. */
async function contents(api: TestApi): Promise<Map<string, number>> {
  const { entries } = await api.store.list('/registry/');
  return new Map(
    entries.filter(({ key }) => !key.endsWith('/kube-root-ca.crt')).map(({ key, revision }) => [key, revision]),
  );
}

/** What a stream says before it would begin to wait. */
function beginning(body: Extract<ApiResponse['body'], { start: unknown }>): Promise<string> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve) => {
    const stop = body.start({
      write: (chunk) => chunks.push(chunk),
      pending: () => 0,
      drained: setImmediate,
      end: () => undefined,
    });
    setImmediate(() => {
      stop();
      const text = Buffer.concat(chunks).toString();
      for (const line of text.split('\n')) if (line !== '') JSON.parse(line);
      resolve(text);
    });
  });
}

const seed = Number(process.env['FAIRWAY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
for (let round = 0; round < ROUNDS; round++) {
  test(`${String(REQUESTS)} random requests are answered (FAIRWAY_SEED=${String(seed)}, round ${String(round)})`, async (t) => {
    const api = await startTestApi();
    t.after(() => api.stop());
    await fc.assert(
      fc.asyncProperty(fuzzRequest, (request) => check(api, request)),
      { seed: seed + round, numRuns: REQUESTS },
    );
    await new Promise(setImmediate);
    assert.deepEqual(unhandled, []);
  });
}

const SERVICES = '/api/v1/namespaces/default/services';
const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const jsonPatch = (...operations: object[]) => [JSON.stringify(operations), 'application/json-patch+json'] as const;
const json = (value: object) => [JSON.stringify(value), 'application/json'] as const;

/** What random requests found once. */
const found: [what: string, method: string, path: string, body: string, type: string, status: number][] = [
  [
    'a patch of what every object inherits',
    'PATCH',
    `${SERVICES}/web`,
    ...jsonPatch({ op: 'replace', path: '/-/valueOf', value: null }),
    422,
  ],
  ['a patch inside a text', 'PATCH', `${SERVICES}/web`, ...jsonPatch({ op: 'add', path: '/kind/-', value: null }), 422],
  [
    'a test against a method',
    'PATCH',
    `${SERVICES}/web`,
    ...jsonPatch({ op: 'test', path: '', value: [{ toString: null }] }),
    422,
  ],
  [
    'a type of Secret that every object inherits',
    'POST',
    SECRETS,
    ...json({ metadata: { name: 's' }, type: 'valueOf' }),
    201,
  ],
  [
    'a key called __proto__',
    'POST',
    MAPS,
    '{"metadata":{"name":"p"},"data":{"__proto__":"x"}}',
    'application/json',
    201,
  ],
];
test('requests that once brought it down', async (t) => {
  const api = await startTestApi();
  t.after(() => api.stop());
  await seedObjects(api);
  for (const [what, method, path, body, type, status] of found) {
    await t.test(what, async () => {
      const answer = await api.request(method, path, { body, headers: { 'content-type': type } });
      assert.equal(answer.status, status, answer.text);
    });
  }
  await t.test('what was called __proto__ comes back', async () => {
    assert.match((await api.request('GET', `${MAPS}/p`)).text, /"data":\{"__proto__":"x"\}/);
  });
  await t.test('an Accept that every object inherits', async () => {
    assert.equal((await api.request('GET', MAPS, { headers: { accept: 'constructor' } })).status, 406);
  });
});

const MAX = 3 * 1024 * 1024;
const yaml = (text: string) => [text, 'application/yaml'] as const;
const repeat = (count: number, each: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => each(index));
const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
const bomb = repeat(
  20,
  (level) =>
    `a${String(level)}: &a${String(level)} [${repeat(10, () => (level === 0 ? 'x' : `*a${String(level - 1)}`)).join()}]`,
);
/** Keys that look like numbers come in rising order, whatever the text says: the deepest is met first. */
const ladder = [
  '9999: &a9999 [x]',
  ...repeat(5000, (index) => `${String(9998 - index)}: &a${String(9998 - index)} [*a${String(9999 - index)}]`),
];

/** As large as a body may be, and made to be slow: each is over in a time that others can wait for. */
const hostile: [what: string, method: string, path: string, body: string | Uint8Array, type: string, status: number][] =
  [
    ['a list in a list, a million deep', 'POST', MAPS, nested('[', ']', 1_000_000), 'application/json', 400],
    ['objects in objects without an end', 'POST', MAPS, '{"a":'.repeat(MAX / 5), 'application/json', 400],
    [
      'a merge patch 300,000 deep',
      'PATCH',
      `${MAPS}/web`,
      `${'{"a":'.repeat(300_000)}1${'}'.repeat(300_000)}`,
      'application/merge-patch+json',
      400,
    ],
    ['a name of 3 MB', 'POST', MAPS, ...json({ metadata: { name: 'a-'.repeat(MAX / 2 - 50) } }), 422],
    [
      'a host name of 3 MB that ends wrong',
      'POST',
      MAPS,
      ...json({ metadata: { name: `${'a.'.repeat(MAX / 2 - 50)}!` } }),
      422,
    ],
    [
      '150,000 unknown fields',
      'POST',
      MAPS,
      `{"metadata":{"name":"u"},${repeat(150_000, (index) => `"u${String(index)}":1`).join()}}`,
      'application/json',
      201,
    ],
    [
      '200,000 duplicate fields',
      'POST',
      MAPS,
      `{"metadata":{"name":"d"},"data":{${repeat(200_000, (index) => `"a${String(index % 1000)}":""`).join()}}}`,
      'application/json',
      201,
    ],
    [
      '200,000 ports of nothing',
      'POST',
      SERVICES,
      `{"metadata":{"name":"e"},"spec":{"ports":[${repeat(200_000, () => '{}').join()}]}}`,
      'application/json',
      422,
    ],
    [
      '40,000 ports in a strategic merge patch',
      'PATCH',
      `${SERVICES}/web`,
      JSON.stringify({ spec: { ports: repeat(40_000, () => '').map((_, index) => ({ port: index + 1 })) } }),
      'application/strategic-merge-patch+json',
      422,
    ],
    [
      'copies of copies',
      'PATCH',
      `${MAPS}/web`,
      ...jsonPatch(...repeat(200, String).map((at) => ({ op: 'copy', from: '/data', path: `/data/${at}` }))),
      422,
    ],
    [
      'a path of a million steps',
      'PATCH',
      `${MAPS}/web`,
      ...jsonPatch({ op: 'add', path: '/a'.repeat(1_000_000), value: 1 }),
      422,
    ],
    ['YAML: ten to the power of twenty by aliases', 'POST', MAPS, ...yaml(bomb.join('\n')), 400],
    ['YAML: 5,000 deep by aliases', 'POST', MAPS, ...yaml(ladder.join('\n')), 400],
    ['YAML: a list that holds itself', 'POST', MAPS, ...yaml('a: &a [*a]'), 400],
    ['YAML: brackets', 'POST', MAPS, ...yaml(`a: ${'['.repeat(MAX - 10)}`), 400],
    ['YAML: dashes', 'POST', MAPS, ...yaml('- '.repeat(MAX / 2)), 400],
    ['YAML: question marks', 'POST', MAPS, ...yaml('? '.repeat(MAX / 2)), 400],
    ['YAML: comments', 'POST', MAPS, ...yaml('#\n'.repeat(MAX / 2)), 400],
    [
      'YAML: 20,000 merges',
      'POST',
      MAPS,
      ...yaml(
        [
          'a0: &a0 {x: 1}',
          ...repeat(20_000, (index) => `a${String(index + 1)}: &a${String(index + 1)} {<<: *a${String(index)}}`),
        ].join('\n'),
      ),
      400,
    ],
    ['YAML: a text without its end', 'POST', MAPS, ...yaml(`a: "${'\\n '.repeat(900_000)}`), 400],
    [
      'protobuf: a million empty fields',
      'POST',
      SERVICES,
      protobufOf(Buffer.alloc(2 * 1024 * 1024, Buffer.from([0x12, 0]))),
      'application/vnd.kubernetes.protobuf',
      422,
    ],
    [
      'protobuf: a message longer than it is',
      'POST',
      SERVICES,
      protobufOf(Buffer.alloc(2 * 1024 * 1024, 0x0a)),
      'application/vnd.kubernetes.protobuf',
      400,
    ],
  ];

/** A Service in the envelope of protobuf bodies. The length has four bytes: for two MiB. */
function protobufOf(raw: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from('k8s\0\n\r\n\x02v1\x12\x07Service'),
    Buffer.from([0x12, 0x80, 0x80, 0x80, 0x01]),
    raw,
  ]);
}

/** Milliseconds of processor time, as machines are busy. Most need a tenth of it; quadratic work takes more whatever the machine. */
const PATIENCE = 8000;
test('bodies made to be slow', async (t) => {
  const api = await startTestApi();
  t.after(() => api.stop());
  await seedObjects(api);
  for (const [what, method, path, body, type, status] of hostile) {
    await t.test(what, async () => {
      const bytes = Buffer.from(body as string);
      assert.ok(bytes.length <= MAX);
      const request = { method, path, query: [], headers: { 'content-type': type }, body: bytes };
      const answers: ApiResponse[] = [];
      const took = await cpuTimeOf(PATIENCE, async () => answers.push(await ask(api, request)));
      // asked again, what was made is there already
      const [answer] = answers;
      assert.ok(answer);
      assert.equal(
        answer.status,
        status,
        Buffer.from(answer.body as Uint8Array)
          .subarray(0, 500)
          .toString(),
      );
      assert.ok(took < PATIENCE, `${took.toFixed()} ms`);
      assert.ok(JSON.stringify(answer.headers).length < 10_000, 'headers a client can take');
    });
  }
});

/** As long as a request line may be. */
const queries: [name: string, value: string, status: number][] = [
  ['labelSelector', `a in (${'b,'.repeat(7000)})`, 200],
  ['labelSelector', '!'.repeat(15_000), 400],
  ['labelSelector', 'a-'.repeat(7500), 400],
  ['labelSelector', `${' '.repeat(7000)}a${' '.repeat(7000)}&`, 400],
  ['labelSelector', repeat(3000, (index) => `a${String(index)}`).join(), 200],
  ['fieldSelector', '\\'.repeat(15_001), 400],
  ['fieldSelector', `metadata.name=${'\\\\'.repeat(7000)}=`, 400],
  ['fieldSelector', 'metadata.name=a,'.repeat(900), 200],
  ['continue', 'A'.repeat(15_000), 400],
  ['limit', '9'.repeat(15_000), 400],
];
test('queries made to be slow', async (t) => {
  const api = await startTestApi();
  t.after(() => api.stop());
  for (const [name, value, status] of queries) {
    await t.test(`${name}=${value.slice(0, 20)}…`, async () => {
      const took = await cpuTimeOf(1000, async () => {
        const answer = await api.request('GET', MAPS, { query: { [name]: value } });
        assert.equal(answer.status, status, answer.text.slice(0, 300));
      });
      assert.ok(took < 1000, `${took.toFixed()} ms`);
    });
  }
});
