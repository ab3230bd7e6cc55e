import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../api-error.ts';
import { decodeObject, type KindName } from '../decode.ts';
import { DEPLOYMENTS } from '../kinds.ts';
import { parseProtobuf } from './decode.ts';
import { bytes, envelope, field, numberField, varint } from './testing.ts';

/** What kubectl 1.33 sends for `kubectl create …`, as it came over the wire. */
const bodies: [what: string, base64: string, object: unknown][] = [
  [
    'a namespace',
    'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEc2hvcBIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' }, spec: {}, status: {} },
  ],
  [
    'a Service of type NodePort',
    'azhzAAoNCgJ2MRIHU2VydmljZRJtCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkYKIAoHODAtaHR0cBIDVENQGFAiCggBEAAaBGh0dHAogOsBEgoKA2FwcBIDd2ViGgAiCE5vZGVQb3J0OgBCAFIAWgBgAGgAGgIKABoAIgA=',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        ports: [{ name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http', nodePort: 30080 }],
        selector: { app: 'web' },
        type: 'NodePort',
      },
      status: { loadBalancer: {} },
    },
  ],
  [
    'a Secret',
    'azhzAAoMCgJ2MRIGU2VjcmV0EiEKEQoBcxIAGgAiACoAMgA4AEIAEgoKAWESBWhlbGxvGgAaACIA',
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'aGVsbG8=' } },
  ],
  [
    'a Job',
    'azhzAAoPCghiYXRjaC92MRIDSm9iEoABChEKAWoSABoAIgAqADIAOABCABJhMl8KEAoAEgAaACIAKgAyADgAQgASSxIoCgFqEgF4GgJzaBoCLWMaBHRydWUqAEIAagByAIABAIgBAJABAKIBABoFTmV2ZXIyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBABoIIAAoADAAOgAaACIA',
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: {
        template: {
          metadata: {},
          spec: {
            containers: [{ name: 'j', image: 'x', command: ['sh', '-c', 'true'], resources: {} }],
            restartPolicy: 'Never',
          },
        },
      },
      status: {},
    },
  ],
  [
    'a token request',
    'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIdChAKABIAGgAiACoAMgA4AEIAEgMg2AQaBAoAEgAaACIA',
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { expirationSeconds: 600 },
      status: {},
    },
  ],
];
for (const [what, base64, object] of bodies) {
  test(`${what} that kubectl create sends is read as its JSON`, () => {
    assert.deepEqual(parseProtobuf(Buffer.from(base64, 'base64')).value, object);
  });
}

const deployment =
  'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErwBCiMKA3dlYhIAGgRzaG9wIgAqADIAOABCAFoKCgNhcHASA3dlYhKGAQgDEgwKCgoDYXBwEgN3ZWIabAocCgASABoAIgAqADIAOABCAFoKCgNhcHASA3dlYhJMEi4KBW5naW54EgVuZ2lueCoAMgoKABAAGFAiACoAQgBqAHIAgAEAiAEAkAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA';

test('a Deployment that kubectl create sends has no unknown fields and its inline parts in place', () => {
  const { value } = parseProtobuf(Buffer.from(deployment, 'base64'));
  const { object, unknownFields } = decodeObject(DEPLOYMENTS, value);
  assert.deepEqual(unknownFields, []);
  assert.equal(object.spec.replicas, 3);
  assert.deepEqual(object.spec.template.spec?.containers, [
    { name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} },
  ]);
});

test('numbers, quantities, times, maps and inline handlers are read', () => {
  const limits = field(1, bytes(field(1, bytes('cpu')), field(2, field(1, bytes('500m')))));
  const probe = bytes(field(1, field(3, field(1, bytes(8, 0, 16, 80)))), 16, 5, 24, 0);
  const container = bytes(field(1, bytes('a')), field(8, limits), field(10, probe));
  const created = field(8, bytes(8, varint(Date.parse('2025-11-20T12:00:00Z') / 1000)));
  const pod = bytes(
    field(1, bytes(field(1, bytes('p')), created)),
    field(2, bytes(field(2, container), 32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)),
  );
  assert.deepEqual(parseProtobuf(envelope('v1', 'Pod', pod)).value, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', creationTimestamp: '2025-11-20T12:00:00Z' },
    spec: {
      containers: [
        {
          name: 'a',
          resources: { limits: { cpu: '500m' } },
          livenessProbe: { tcpSocket: { port: 80 }, initialDelaySeconds: 5 },
        },
      ],
      terminationGracePeriodSeconds: -1,
    },
  });
});

const refused: [why: string, content: Uint8Array][] = [
  ['no prefix', bytes('{"kind":"Pod"}')],
  ['an unknown kind', envelope('v1', 'Widget', bytes())],
  ['a field longer than its message', envelope('v1', 'Pod', bytes(10, 100, 1))],
  ['a number without end', envelope('v1', 'Pod', bytes(8, 0xff, 0xff))],
  ['an unknown wire type', envelope('v1', 'Pod', bytes(11))],
];
for (const [why, content] of refused) {
  test(`a body with ${why} is a bad request`, () => {
    assert.throws(
      () => parseProtobuf(content),
      (error: unknown) => error instanceof ApiError && error.code === 400,
    );
  });
}

const zero = (number: number) => numberField(number, 0);
const empty = (number: number) => field(number, bytes());
const unset: [what: string, kind: [string, string], raw: Uint8Array, fields: object][] = [
  ['zero replicas are kept', ['apps/v1', 'Deployment'], field(2, zero(1)), { spec: { replicas: 0 } }],
  [
    'false and 0 are kept where Go has a pointer, and left out where not',
    ['v1', 'Pod'],
    field(2, bytes(zero(4), zero(11), zero(30))),
    { spec: { terminationGracePeriodSeconds: 0, enableServiceLinks: false } },
  ],
  [
    'the storage class "" is not the same as none',
    ['v1', 'PersistentVolumeClaim'],
    field(2, bytes(empty(3), empty(5))),
    { spec: { storageClassName: '' } },
  ],
  [
    'a released Lease has the holder ""',
    ['coordination.k8s.io/v1', 'Lease'],
    field(2, bytes(empty(1), field(3, bytes(8, 1, 16, 0xc0, 0x84, 0x3d)))),
    { spec: { holderIdentity: '', acquireTime: '1970-01-01T00:00:01.001000Z' } },
  ],
  [
    'affinity of 0 seconds is kept although probes leave the same field out',
    ['v1', 'Service'],
    field(2, field(14, field(1, zero(1)))),
    { spec: { sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } } },
  ],
  ['no grace at all is kept, for a Pod of any group', ['apps/v1', 'DeleteOptions'], zero(1), { gracePeriodSeconds: 0 }],
  [
    'a text keeps its byte order mark',
    ['v1', 'ConfigMap'],
    field(2, bytes(field(1, bytes('a')), field(2, bytes('\ufefftext')))),
    { data: { a: '\ufefftext' } },
  ],
  ['a map entry without a value is empty', ['v1', 'ConfigMap'], field(2, field(1, bytes('a'))), { data: { a: '' } }],
  ['every true number is true', ['v1', 'Pod'], field(2, bytes(11 * 8, 2)), { spec: { hostNetwork: true } }],
];
for (const [what, [apiVersion, kind], raw, fields] of unset) {
  test(what, () => {
    assert.deepEqual(parseProtobuf(envelope(apiVersion, kind, raw)).value, { apiVersion, kind, ...fields });
  });
}

test('JSON inside a body is no deeper than a body of JSON may be', () => {
  const data = bytes('['.repeat(100_000), ']'.repeat(100_000));
  assert.throws(
    () => parseProtobuf(envelope('apps/v1', 'ControllerRevision', field(2, field(1, data)))),
    (error: unknown) => error instanceof ApiError && error.code === 400 && error.message.includes('max depth'),
  );
});

/** Both steps on the way to an object: nothing but a refusal may come out of either. */
function readOrRefuse(content: Uint8Array, kind: KindName): void {
  try {
    decodeObject(kind, parseProtobuf(content).value);
  } catch (error) {
    assert(error instanceof ApiError && error.code === 400, error as Error);
  }
}

test('a real body that is cut off, or has bytes changed, is read or refused, nothing else happens', () => {
  const real = [...bodies.map(([, base64]) => base64), deployment].map((base64) => Buffer.from(base64, 'base64'));
  const kinds: KindName[] = [
    { group: '', version: 'v1', kind: 'Namespace' },
    { group: '', version: 'v1', kind: 'Service' },
    { group: '', version: 'v1', kind: 'Secret' },
    { group: 'batch', version: 'v1', kind: 'Job' },
    { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
    DEPLOYMENTS,
  ];
  for (const [index, kind] of kinds.entries()) {
    const whole = real[index] ?? Buffer.of();
    for (let length = 0; length < whole.length; length++) readOrRefuse(whole.subarray(0, length), kind);
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
        const changed = Buffer.from(whole);
        for (const [at, byte] of changes) changed[at] = byte;
        readOrRefuse(changed, kind);
      }),
      { numRuns: 300 },
    );
  }
});

test('any bytes are read or refused, nothing else happens', () => {
  fc.assert(
    fc.property(fc.constantFrom('Pod', 'Service', 'Event'), fc.uint8Array({ maxLength: 60 }), (kind, raw) => {
      try {
        parseProtobuf(envelope('v1', kind, raw));
      } catch (error) {
        assert(error instanceof ApiError && error.code === 400);
      }
    }),
    { numRuns: 500 },
  );
});
