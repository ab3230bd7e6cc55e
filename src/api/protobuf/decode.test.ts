import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../api-error.ts';
import { decodeObject } from '../decode.ts';
import { DEPLOYMENTS } from '../kinds.ts';
import { loadSchemas } from '../schema/load.ts';
import { parseProtobuf } from './decode.ts';

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
      status: { active: 0, succeeded: 0, failed: 0 },
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

const bytes = (...parts: (number | string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : Buffer.from(part))));
const varint = (value: number): Uint8Array =>
  value < 0x80 ? Uint8Array.of(value) : bytes((value % 0x80) + 0x80, varint(Math.floor(value / 0x80)));
const field = (number: number, content: Uint8Array) => bytes(number * 8 + 2, content.length, content);
const body = (apiVersion: string, kind: string, raw: Uint8Array) =>
  bytes('k8s', 0, field(1, bytes(field(1, bytes(apiVersion)), field(2, bytes(kind)))), field(2, raw));

test('numbers, quantities, times, maps and inline handlers are read', () => {
  const limits = field(1, bytes(field(1, bytes('cpu')), field(2, field(1, bytes('500m')))));
  const probe = bytes(field(1, field(3, field(1, bytes(8, 0, 16, 80)))), 16, 5, 24, 0);
  const container = bytes(field(1, bytes('a')), field(8, limits), field(10, probe));
  const created = field(8, bytes(8, varint(Date.parse('2025-11-20T12:00:00Z') / 1000)));
  const pod = bytes(
    field(1, bytes(field(1, bytes('p')), created)),
    field(2, bytes(field(2, container), 32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)),
  );
  assert.deepEqual(parseProtobuf(body('v1', 'Pod', pod)).value, {
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
  ['an unknown kind', body('v1', 'Widget', bytes())],
  ['a field longer than its message', body('v1', 'Pod', bytes(10, 100, 1))],
  ['a number without end', body('v1', 'Pod', bytes(8, 0xff, 0xff))],
  ['an unknown wire type', body('v1', 'Pod', bytes(11))],
];
for (const [why, content] of refused) {
  test(`a body with ${why} is a bad request`, () => {
    assert.throws(
      () => parseProtobuf(content),
      (error: unknown) => error instanceof ApiError && error.code === 400,
    );
  });
}

test('any bytes are read or refused, nothing else happens', () => {
  fc.assert(
    fc.property(fc.constantFrom('Pod', 'Service', 'Event'), fc.uint8Array({ maxLength: 60 }), (kind, raw) => {
      try {
        parseProtobuf(body('v1', kind, raw.length < 100 ? raw : raw.subarray(0, 100)));
      } catch (error) {
        assert(error instanceof ApiError && error.code === 400);
      }
    }),
    { numRuns: 500 },
  );
});

test('every kind that is served has field numbers', () => {
  for (const key of Object.keys(loadSchemas().kinds)) {
    const slash = key.lastIndexOf('/');
    const raw = field(1, field(1, bytes('named')));
    const { value } = parseProtobuf(body(key.slice(0, slash), key.slice(slash + 1), raw));
    // Lists, Status and options begin otherwise; all others with their metadata.
    if (/(List|Status|DeleteOptions)$/.test(key)) continue;
    assert.deepEqual((value as { metadata?: unknown }).metadata, { name: 'named' }, key);
  }
});
