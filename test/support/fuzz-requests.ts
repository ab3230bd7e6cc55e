/** Requests nobody in his right mind would send, for fast-check: near misses of right ones more often than pure noise. */
import fc from 'fast-check';
import { KINDS, type Kind } from '../../src/api/kinds.ts';
import { apiVersionOf } from '../../src/api/kinds.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const NAMES = ['kubernetes', 'web', 'default', 'kube-root-ca.crt', 'absent', '__proto__', 'constructor', 'toString'];
/** Texts that have hurt servers before: names of JavaScript's own, escapes, numbers at the edge, text that is no text. */
const nasty = fc.constantFrom(
  ...NAMES,
  ...[
    'hasOwnProperty',
    'valueOf',
    '',
    ' ',
    '.',
    '..',
    '/',
    '%',
    '%00',
    '%zz',
    '%2f',
    '%2e%2e',
    '\u0000',
    '\ufeff',
    '\ud800',
  ],
  ...[
    '\u{1f6a2}',
    'A',
    'a'.repeat(300),
    'a.'.repeat(200),
    '-',
    '_',
    '*',
    '~',
    '~1',
    '~0',
    '$',
    '\\',
    '"',
    "'",
    '<b>',
    '\r\n',
  ],
  ...[
    '0',
    '-1',
    '1',
    '1.5',
    '9007199254740993',
    '1e400',
    'NaN',
    'null',
    'true',
    '127.0.0.1',
    '::1',
    '0.0.0.0/0',
    '1Ki',
    '-1m',
  ],
);
const text = fc.oneof(
  { weight: 4, arbitrary: nasty },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
);
const number = fc.oneof(
  fc.constantFrom(0, -0, -1, 1, 80, 65535, 65536, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e21, 1e308, 0.1, -0.5),
  fc.integer(),
);
const key = fc.oneof(
  { weight: 3, arbitrary: text },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        'metadata',
        'spec',
        'status',
        'name',
        'labels',
        'ports',
        'port',
        'kind',
        'apiVersion',
        'items',
        'data',
        'type',
      ],
      ...['$patch', '$retainKeys', '$setElementOrder/ports', '$deleteFromPrimitiveList/finalizers', 'managedFields'],
      ...['op', 'path', 'from', 'value', 'selector', 'finalizers', 'ownerReferences', 'annotations', 'containers'],
    ),
  },
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, {}, [], ''),
    text,
    number,
    fc.array(tie('json'), { maxLength: 3 }),
    // Own properties even for `__proto__`, as a parsed body has them.
    fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

/** Right objects to begin from; what is not here begins as one with metadata alone. */
const specs: Readonly<Record<string, object>> = {
  Service: {
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] },
  },
  Pod: {
    spec: { containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: 'b' }] }] },
  },
  ConfigMap: { data: { a: 'b' }, binaryData: { c: 'AA==' } },
  Secret: { type: 'Opaque', data: { a: 'AA==' } },
  Deployment: {
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  },
  Node: { spec: { podCIDR: '10.244.9.0/24', taints: [{ key: 'a', effect: 'NoSchedule' }] } },
  EndpointSlice: {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  },
  Ingress: {
    spec: {
      rules: [
        {
          host: 'a.example',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  Lease: { spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-11-20T12:00:00.000000Z' } },
  Job: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } } } },
  NetworkPolicy: { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] } },
  Event: {
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
    reason: 'A',
    message: 'b',
    type: 'Normal',
  },
};

/** Asked for, but never kept. */
const reviews: readonly Kind[] = [
  ['authorization.k8s.io', 'SubjectAccessReview'],
  ['authorization.k8s.io', 'SelfSubjectAccessReview'],
  ['authorization.k8s.io', 'SelfSubjectRulesReview'],
  ['authentication.k8s.io', 'TokenReview'],
  ['authentication.k8s.io', 'SelfSubjectReview'],
].map(([group = '', kind = '']) => ({
  ...{ group, kind, version: 'v1', plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
  ...{ shortNames: [], namespaced: false, categories: [], subresources: [] },
}));

/** A definition's name follows from what it defines. */
function definitionOf(name: string): Record<string, unknown> {
  const schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { size: { type: 'integer', minimum: 1, default: 3 }, text: { type: 'string', pattern: '^a+$' } },
      },
    },
  };
  const columns = [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${name}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: name, singular: name, kind: 'Thing', listKind: 'ThingList' },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
          ...{ subresources: { status: {} }, additionalPrinterColumns: columns },
        },
      ],
    },
  };
}

export function manifestOf(kind: Kind, name: string): Record<string, unknown> {
  if (kind.kind === 'CustomResourceDefinition') return definitionOf(name);
  const metadata = { name, ...(kind.namespaced && { namespace: 'default' }), labels: { app: 'web' } };
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...specs[kind.kind] };
}

interface Mutation {
  /** Which way to go at each level. */
  readonly steps: readonly number[];
  readonly key: string;
  readonly by: unknown;
  /** In place of a text or a number where the type is to stay right. */
  readonly text: string;
  readonly number: number;
  readonly keepType: boolean;
}

/** One value somewhere in it replaced, or one added. */
function mutated(value: unknown, change: Mutation, depth = 0): unknown {
  const step = change.steps[depth] ?? 0;
  if (Array.isArray(value) && value.length > 0 && step % 7 > 0) {
    const at = step % value.length;
    return value.map((each: unknown, index) => (index === at ? mutated(each, change, depth + 1) : each));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    // A wrong kind ends everything at the door.
    const from = depth === 0 && step % 20 > 0 ? 2 : 0;
    if (step % 7 === 0 || entries.length === 0) return Object.fromEntries([...entries, [change.key, change.by]]);
    const at = from + (step % (entries.length - from));
    return Object.fromEntries(
      entries.map(([each, inner], index) => [each, index === at ? mutated(inner, change, depth + 1) : inner]),
    );
  }
  if (change.keepType && typeof value === 'string') return change.text;
  if (change.keepType && typeof value === 'number') return change.number;
  return change.by;
}

const encoder = new TextEncoder();
const bytes = (value: unknown): Uint8Array => encoder.encode(typeof value === 'string' ? value : JSON.stringify(value));

const mutation: fc.Arbitrary<Mutation> = fc.record({
  steps: fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }),
  key,
  by: json,
  text,
  number,
  keepType: fc.boolean(),
});
const objectBody = (of: Kind, name: string) =>
  fc
    .array(mutation, { maxLength: 3 })
    .map((changes) => changes.reduce<unknown>((value, change) => mutated(value, change), manifestOf(of, name)));

const noise = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  text.map(bytes),
  json.map(bytes),
  fc
    .constantFrom('', '{', '[', '{"a":1,"a":2}', '{"metadata":{"name":"web","name":"web"}}', '1e400', '"\\ud800"')
    .map(bytes),
  fc
    .constantFrom(
      'a: &a [*a]',
      '? {a: b} : c',
      '!!js/function x',
      '%YAML 9.9\n---\n',
      '--- a\n--- b',
      '<<: 1',
      '*a',
      '@',
    )
    .map(bytes),
  // Protobuf: right envelope, then noise.
  fc.uint8Array({ maxLength: 100 }).map((rest) => Buffer.concat([Buffer.from('k8s\0'), rest])),
  fc
    .uint8Array({ maxLength: 60 })
    .map((raw) =>
      Buffer.concat([Buffer.from('k8s\0\n\r\n\x02v1\x12\x07Service'), Buffer.from([0x12, raw.length]), raw]),
    ),
);

const pointer = fc
  .array(fc.oneof(key, fc.constantFrom('-', '0', '999999999')), { maxLength: 4 })
  .map((parts) => parts.map((part) => `/${part}`).join(''));
const jsonPatch = fc.array(
  fc.record(
    {
      op: fc.oneof(fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), text),
      path: pointer,
      from: pointer,
      value: json,
    },
    { requiredKeys: ['op', 'path'] },
  ),
  { maxLength: 4 },
);

const patchTypes = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];
const contentType = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...patchTypes.map((type) => `application/${type}`), '', 'text/html', ';;;', 'a/b; c'),
  },
);
const accept = fc.oneof(
  fc.constantFrom(
    'application/json',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json',
    'application/json;as=__proto__;v=v1;g=constructor, */*;q=0.1',
    'application/vnd.kubernetes.protobuf;stream=watch,application/json;q=x',
  ),
  text.filter(isHeaderText),
);

function isHeaderText(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/** No revision from the future: a server waits some seconds for those, which has a test of its own. */
const revision = fc.oneof(
  fc.constantFrom('', '0', '1', '2', '-1', '1.5', 'x', '1e3', '٣'),
  text.filter((each) => !/^\d{3,}$/.test(each)),
);
const selector = fc.oneof(
  text,
  fc.constantFrom(
    ...[
      'a=b',
      'a in (b,c)',
      'a notin (',
      '!a',
      '!',
      'a in b',
      'a==',
      '=,',
      '(',
      'a>1',
      'a<x',
      'a=b,,c',
      'metadata.name=web',
    ],
    ...[
      'spec.nodeName!=a',
      'status.phase=Running',
      'metadata.name=\\',
      '__proto__=a',
      'constructor',
      'type=\\=\\,',
      'a=b=c',
    ],
  ),
);
const token = fc.oneof(
  text,
  fc
    .record({
      v: fc.oneof(fc.constant('meta.k8s.io/v1'), text),
      rv: fc.constantFrom<unknown>(-2, -1, 0, 1, 5, 1.5, 'x', null),
      start: text,
    })
    .map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
);
const option = fc.oneof(
  fc.constantFrom('true', 'false', '1', '0', 'All', 'Strict', 'Warn', 'Ignore', 'None', 'Object', 'Foreground'),
  text,
);
const parameter: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(fc.constantFrom('labelSelector', 'fieldSelector'), selector),
  fc.tuple(fc.constant('resourceVersion'), revision),
  fc.tuple(fc.constant('resourceVersionMatch'), fc.oneof(fc.constantFrom('Exact', 'NotOlderThan'), text)),
  fc.tuple(fc.constant('continue'), token),
  fc.tuple(
    fc.constantFrom('limit', 'timeoutSeconds', 'gracePeriodSeconds', 'tailLines', 'sinceSeconds', 'limitBytes'),
    fc.oneof(text, number.map(String)),
  ),
  fc.tuple(
    fc.constantFrom(
      ...[
        'watch',
        'allowWatchBookmarks',
        'sendInitialEvents',
        'pretty',
        'dryRun',
        'fieldValidation',
        'fieldManager',
        'force',
      ],
      ...[
        'includeObject',
        'propagationPolicy',
        'orphanDependents',
        'container',
        'follow',
        'command',
        'stdin',
        'timeout',
        '__proto__',
      ],
    ),
    option,
  ),
  fc.tuple(text, text),
);

const header: fc.Arbitrary<readonly [string, string]> = fc
  .oneof(
    fc.tuple(fc.constantFrom('accept-encoding', 'if-match', 'if-none-match', 'user-agent', 'impersonate-uid'), text),
    fc.tuple(
      fc.constantFrom('impersonate-user', 'impersonate-group', 'impersonate-extra-a', 'x-forwarded-for', 'range'),
      text,
    ),
    fc.tuple(
      fc.constantFrom('accept-encoding', 'connection', 'expect', 'te'),
      fc.constantFrom('gzip', 'identity', 'upgrade', '100-continue'),
    ),
  )
  .filter(([, value]) => isHeaderText(value));

const subresource = fc.constantFrom(
  ...[
    'status',
    'scale',
    'log',
    'exec',
    'attach',
    'portforward',
    'proxy',
    'proxy/a/../b',
    'binding',
    'eviction',
    'token',
    'finalize',
  ],
  ...['ephemeralcontainers', 'approval', 'resize', '', '__proto__', 'constructor', 'status/more'],
);

/** Those a test makes one `web` of beforehand come up most. */
export const SEEDED: readonly Kind[] = KINDS.filter(
  ({ group, kind }) => kind in specs && kind !== 'Event' && group !== 'extensions' && group !== 'events.k8s.io',
);
const kind = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...KINDS) },
  { weight: 12, arbitrary: fc.constantFrom(...SEEDED) },
  { weight: 1, arbitrary: fc.constantFrom(...reviews) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...KINDS.filter((each) => each.kind === 'CustomResourceDefinition')),
  },
);

interface Target {
  readonly kind: Kind;
  readonly name: string;
  readonly path: string;
}
/** Of the five methods with a meaning each has its usual place, and is sometimes sent to another. */
const shapes: Readonly<Record<string, readonly Shape[]>> = {
  POST: ['collection', 'collection', 'collection', 'collection', 'sub', 'item', 'everywhere'],
  PUT: ['item', 'item', 'item', 'item', 'sub', 'rude', 'collection'],
  PATCH: ['item', 'item', 'item', 'item', 'sub', 'rude', 'collection'],
};
const anywhere: readonly Shape[] = ['item', 'item', 'collection', 'collection', 'everywhere', 'sub', 'watch', 'rude'];
type Shape = 'item' | 'collection' | 'everywhere' | 'sub' | 'watch' | 'rude';

const targetOf = (verb: string): fc.Arbitrary<Target> =>
  fc
    .record({
      kind,
      name: fc.oneof(
        { weight: 6, arbitrary: fc.constant('web') },
        { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
        { weight: 1, arbitrary: nasty },
      ),
      namespace: fc.oneof({ weight: 12, arbitrary: fc.constant('default') }, { weight: 1, arbitrary: nasty }),
      shape: fc.constantFrom(...((Object.hasOwn(shapes, verb) && shapes[verb]) || anywhere)),
      sub: subresource,
    })
    .map(({ kind: of, name, namespace, shape, sub }) => {
      const root = of.group === '' ? `/api/${of.version}` : `/apis/${of.group}/${of.version}`;
      const encoded = shape === 'rude' ? name : encodeURIComponent(name.toWellFormed());
      const scope =
        of.namespaced && shape !== 'everywhere' ? `/namespaces/${encodeURIComponent(namespace.toWellFormed())}` : '';
      const collection = `${scope}/${of.plural}`;
      const path = {
        item: `${root}${collection}/${encoded}`,
        rude: `${root}${collection}/${encoded}`,
        collection: root + collection,
        everywhere: root + collection,
        sub: `${root}${collection}/${encoded}/${sub}`,
        watch: `${root}/watch${collection}/${encoded}`,
      }[shape];
      return { kind: of, name, path };
    });
const oddPath: fc.Arbitrary<Target> = fc
  .tuple(
    kind,
    fc.constantFrom(
      '/api',
      '/apis',
      '/openapi',
      '/healthz',
      '/livez',
      '/readyz',
      '/metrics',
      '/version',
      '/logs',
      '',
      '/apis/apps',
    ),
    fc.array(fc.oneof(nasty, fc.constantFrom('v1', 'v2', 'v3', 'api', 'apis', 'namespaces', 'pods', 'watch')), {
      maxLength: 4,
    }),
  )
  .map(([of, root, parts]) => ({
    kind: of,
    name: 'web',
    path: `${root}${parts.map((part) => `/${part}`).join('')}` || '/',
  }));

const method = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE') },
  { weight: 1, arbitrary: fc.constantFrom('HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'FOO', '__proto__') },
);

function bodyFor(
  { kind: of, name }: Target,
  verb: string,
): fc.Arbitrary<{ body: Uint8Array; type: string | undefined }> {
  const right = (verb === 'POST' ? fc.nat(999).map((number) => `${name}-${String(number)}`) : fc.constant(name))
    .chain((made) => objectBody(of, made))
    .map(bytes);
  if (verb === 'PATCH') {
    const typed = fc.oneof(
      jsonPatch.map((value) => ({ body: bytes(value), type: 'application/json-patch+json' })),
      fc
        .tuple(fc.oneof(right, json.map(bytes)), fc.constantFrom(...patchTypes.slice(1)))
        .map(([body, type]) => ({ body, type: `application/${type}` })),
    );
    return fc.oneof(
      { weight: 4, arbitrary: typed },
      { weight: 1, arbitrary: fc.record({ body: noise, type: contentType }) },
    );
  }
  if (verb === 'POST' || verb === 'PUT') {
    return fc.oneof(
      { weight: 4, arbitrary: right.map((body) => ({ body, type: 'application/json' })) },
      { weight: 2, arbitrary: fc.record({ body: noise, type: contentType }) },
      // Cut off in the middle.
      {
        weight: 1,
        arbitrary: fc
          .tuple(right, fc.nat(400))
          .map(([body, end]) => ({ body: body.subarray(0, end), type: 'application/json' })),
      },
    );
  }
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant({ body: new Uint8Array(), type: undefined }) },
    { weight: 1, arbitrary: fc.record({ body: noise, type: contentType }) },
    {
      weight: 1,
      arbitrary: json.map((value) => ({
        body: bytes({ kind: 'DeleteOptions', preconditions: value }),
        type: 'application/json',
      })),
    },
  );
}

export const fuzzRequest: fc.Arbitrary<FuzzRequest> = method
  .chain((verb) =>
    fc.tuple(fc.oneof({ weight: 12, arbitrary: targetOf(verb) }, { weight: 1, arbitrary: oddPath }), fc.constant(verb)),
  )
  .chain(([at, verb]) =>
    fc.record({
      method: fc.constant(verb),
      path: fc.constant(at.path),
      query: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(parameter, { maxLength: 4 }) },
      ),
      headers: fc.tuple(
        fc.array(header, { maxLength: 2 }),
        fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: accept }),
      ),
      content: bodyFor(at, verb),
    }),
  )
  .map(({ headers: [plain, accepted], content, ...rest }) => ({
    ...rest,
    body: content.body,
    headers: {
      ...Object.fromEntries(plain),
      ...(accepted !== null && { accept: accepted }),
      ...(content.type !== undefined && { 'content-type': content.type }),
    },
  }));
