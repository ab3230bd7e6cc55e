import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeObject } from '../decode.ts';
import * as K from '../kinds.ts';
import { definitionOf, structOf } from '../schema/load.ts';
import { strategyFor } from '../strategies.ts';
import { toTable } from '../table.ts';
import { create, stored, update } from '../testing.ts';
import { fromVersion } from '../versions/convert.ts';

const path = (fields: string) => `spec: {rules: [{http: {paths: [{${fields}}]}}]}`;
const backend = 'backend: {service: {name: s, port: {number: 80}}}';

const refused: [kind: K.Kind, why: string, yaml: string, errors: string[]][] = [
  [
    K.ENDPOINTS,
    'an empty subset',
    'subsets: [{ports: [{port: 1}]}]',
    ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
  ],
  [
    K.ENDPOINTS,
    'a loopback address',
    'subsets: [{addresses: [{ip: 127.0.0.1}]}]',
    ['subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  [
    K.ENDPOINTS,
    'a host name as address',
    'subsets: [{addresses: [{ip: db.example.com}]}]',
    [
      'subsets[0].addresses[0].ip: Invalid value: "db.example.com": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  [
    K.ENDPOINTS,
    'unnamed ports',
    'subsets: [{addresses: [{ip: 1.2.3.4}], ports: [{port: 1}, {port: 2, name: b}]}]',
    ['subsets[0].ports[0].name: Required value'],
  ],
  [
    K.ENDPOINTS,
    'a port that is none',
    'subsets: [{addresses: [{ip: 1.2.3.4}], ports: [{port: 0}]}]',
    ['subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive'],
  ],
  [K.ENDPOINT_SLICES, 'no address type', 'endpoints: []', ['addressType: Required value']],
  [
    K.ENDPOINT_SLICES,
    'an unknown address type',
    'addressType: IP',
    ['addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'],
  ],
  [
    K.ENDPOINT_SLICES,
    'no addresses',
    'addressType: IPv4\nendpoints: [{addresses: []}]',
    ['endpoints[0].addresses: Required value: must contain at least 1 address'],
  ],
  [
    K.ENDPOINT_SLICES,
    'an address of the other family',
    'addressType: IPv4\nendpoints: [{addresses: ["fd00::1"]}]',
    ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
  ],
  [
    K.ENDPOINT_SLICES,
    'IPv6 in another spelling',
    'addressType: IPv6\nendpoints: [{addresses: ["fd00:0::1"]}]',
    ['endpoints[0].addresses[0]: Invalid value: "fd00:0::1": must be in canonical form ("fd00::1")'],
  ],
  [
    K.ENDPOINT_SLICES,
    'two ports of one name',
    'addressType: IPv4\nports: [{port: 1}, {port: 2}]',
    ['ports[1].name: Duplicate value: ""'],
  ],
  [
    K.ENDPOINT_SLICES,
    'too many endpoints',
    `addressType: IPv4\nendpoints: [${'{addresses: [1.2.3.4]},'.repeat(1001)}]`,
    ['endpoints: Too many: 1001: must have at most 1000 items'],
  ],
  [
    K.ENDPOINT_SLICES,
    'a zone hint twice',
    'addressType: IPv4\nendpoints: [{addresses: [1.2.3.4], hints: {forZones: [{name: a}, {name: a}]}}]',
    ['endpoints[0].hints.forZones[1].name: Duplicate value: "a"'],
  ],
  [
    K.INGRESSES,
    'nothing',
    'spec: {}',
    ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
  ],
  [
    K.INGRESSES,
    'an IP as host',
    'spec: {rules: [{host: 1.2.3.4}]}',
    ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'],
  ],
  [
    K.INGRESSES,
    'no path type',
    path(`path: /, ${backend}`),
    ['spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
  ],
  [
    K.INGRESSES,
    'a relative path',
    path(`path: x, pathType: Prefix, ${backend}`),
    ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
  ],
  [
    K.INGRESSES,
    'a path with //',
    path(`path: /a//b, pathType: Exact, ${backend}`),
    ['spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain \'//\''],
  ],
  [
    K.INGRESSES,
    'a path that ends in /..',
    path(`path: /a/.., pathType: Exact, ${backend}`),
    ['spec.rules[0].http.paths[0].path: Invalid value: "/a/..": cannot end with \'/..\''],
  ],
  [
    K.INGRESSES,
    'no backend',
    path('path: /, pathType: Prefix'),
    ['spec.rules[0].http.paths[0].backend: Required value: resource or service backend is required'],
  ],
  [
    K.INGRESSES,
    'a backend without port',
    'spec: {defaultBackend: {service: {name: s}}}',
    ['spec.defaultBackend.service: Required value: port name or number is required'],
  ],
  [
    K.INGRESSES,
    'a class given twice and differently',
    'metadata: {annotations: {kubernetes.io/ingress.class: a}}\nspec: {ingressClassName: b, defaultBackend: {service: {name: s, port: {number: 80}}}}',
    [
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified',
    ],
  ],
  [
    K.INGRESS_CLASSES,
    'a controller without domain',
    'spec: {controller: nginx}',
    ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [K.SERVICE_CIDRS, 'no range', 'spec: {}', ['spec.cidrs: Required value: at least one CIDR required']],
  [
    K.SERVICE_CIDRS,
    'two ranges of one family',
    'spec: {cidrs: [10.0.0.0/24, 10.1.0.0/24]}',
    [
      'spec.cidrs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  ],
  [
    K.IP_ADDRESSES,
    'a name that is no address',
    'metadata: {name: x}\nspec: {parentRef: {resource: services, name: a}}',
    ['metadata.name: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [K.IP_ADDRESSES, 'no parent', 'metadata: {name: 10.0.0.1}', ['spec.parentRef: Required value']],
  [
    K.CONFIG_MAPS,
    'a key with blanks',
    'data: {"a b": c}',
    [
      `data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
    ],
  ],
  [
    K.CONFIG_MAPS,
    'a key that climbs',
    'data: {"..x": c}',
    ['data[..x]: Invalid value: "..x": must not start with \'..\''],
  ],
  [
    K.CONFIG_MAPS,
    'more than a mebibyte',
    `data: {a: ${'x'.repeat(1024 * 1024 + 1)}}`,
    [': Too long: may not be more than 1048576 bytes'],
  ],
  [
    K.SECRETS,
    'a TLS type without key',
    'type: kubernetes.io/tls\ndata: {tls.crt: YQ==}',
    ['data[tls.key]: Required value'],
  ],
  [
    K.NAMESPACES,
    'a dotted name',
    'metadata: {name: a.b}',
    [
      `metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      'metadata.labels: Invalid value: "a.b"',
    ].slice(0, 1),
  ],
  [K.NODES, 'a taint without effect', 'spec: {taints: [{key: a}]}', ['spec.taints[0].effect: Required value']],
  [
    K.LEASES,
    'no duration',
    'spec: {leaseDurationSeconds: 0}',
    ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
  ],
  [
    K.EVENTS,
    'another namespace',
    'involvedObject: {namespace: other}',
    ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
  ],
  [
    K.POD_DISRUPTION_BUDGETS,
    'both limits',
    'spec: {minAvailable: 1, maxUnavailable: 1}',
    ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set'],
  ],
  [
    K.ROLES,
    'a rule without verbs',
    'rules: [{apiGroups: [""], resources: [pods]}]',
    ['rules[0].verbs: Required value: verbs must contain at least one value'],
  ],
  [
    K.ROLE_BINDINGS,
    'an unknown role kind',
    'roleRef: {kind: Roll, name: a}',
    ['roleRef.kind: Unsupported value: "Roll": supported values: "ClusterRole", "Role"'],
  ],
  [
    K.LIMIT_RANGES,
    'a bad label',
    'metadata: {labels: {"-a": b}}',
    [
      `metadata.labels: Invalid value: "-a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
  ],
  [
    K.LIMIT_RANGES,
    'an unknown finalizer',
    'metadata: {finalizers: [cleanup]}',
    [
      'metadata.finalizers: Invalid value: "cleanup": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
];
for (const [kind, why, yaml, errors] of refused) {
  test(`${kind.plural} with ${why} are refused`, () => {
    assert.deepEqual(create(kind, yaml).errors, errors);
  });
}

test('a namespace carries its name as a label and the finalizer that keeps it', () => {
  const { object, errors } = create(K.NAMESPACES, 'metadata: {name: shop}');
  assert.deepEqual(errors, []);
  assert.deepEqual(object.metadata.labels, { 'kubernetes.io/metadata.name': 'shop' });
  assert.deepEqual([object.spec, object.status], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
  const again = update(K.NAMESPACES, object, (namespace) => {
    namespace.spec = { finalizers: [] };
    delete namespace.metadata.labels;
  });
  assert.deepEqual(
    [again.object.spec, again.object.metadata.labels, again.errors],
    [object.spec, object.metadata.labels, []],
  );
});

test('stringData becomes data and the type Opaque', () => {
  const { object } = create(K.SECRETS, 'data: {a: YQ==}\nstringData: {b: hello}');
  assert.deepEqual([object.type, object.data, object.stringData], ['Opaque', { a: 'YQ==', b: 'aGVsbG8=' }, undefined]);
});

test('immutable configuration stays as it is', () => {
  const old = stored(K.CONFIG_MAPS, 'immutable: true\ndata: {a: b}');
  const { errors } = update(K.CONFIG_MAPS, old, (configMap) => {
    configMap.data = { a: 'c' };
    delete configMap.immutable;
  });
  const why = 'Forbidden: field is immutable when `immutable` is set';
  assert.deepEqual(errors, [`immutable: ${why}`, `data: ${why}`]);
  const secret = stored(K.SECRETS, 'type: a/b');
  assert.deepEqual(update(K.SECRETS, secret, (each) => (each.type = 'a/c')).errors, [
    'type: Invalid value: "a/c": field is immutable',
  ]);
});

test('an EndpointSlice counts generations by content and labels, and keeps its address type', () => {
  const slice = stored(
    K.ENDPOINT_SLICES,
    'addressType: IPv4\nendpoints: [{addresses: [1.2.3.4], deprecatedTopology: {a: b}}]\nports: [{port: 80}]',
  );
  assert.deepEqual(
    [slice.metadata.generation, slice.ports, slice.endpoints],
    [1, [{ port: 80, name: '', protocol: 'TCP' }], [{ addresses: ['1.2.3.4'] }]],
  );
  assert.equal(update(K.ENDPOINT_SLICES, slice, () => undefined).object.metadata.generation, 1);
  assert.equal(
    update(K.ENDPOINT_SLICES, slice, ({ metadata }) => (metadata.labels = { a: 'b' })).object.metadata.generation,
    2,
  );
  assert.deepEqual(
    update(K.ENDPOINT_SLICES, slice, (each) => Object.assign(each, { addressType: 'IPv6', endpoints: [] })).errors,
    ['addressType: Invalid value: "IPv6": field is immutable'],
  );
});

test('a ServiceCIDR may gain a second range and nothing else', () => {
  const old = stored(K.SERVICE_CIDRS, 'spec: {cidrs: [10.96.0.0/16]}');
  const to = (...cidrs: string[]) => update(K.SERVICE_CIDRS, old, (each) => (each.spec.cidrs = cidrs)).errors;
  assert.deepEqual(to('10.96.0.0/16', 'fd00::/112'), []);
  assert.deepEqual(to('10.97.0.0/16'), ['spec.cidrs: Invalid value: ["10.97.0.0/16"]: field is immutable']);
});

test('the pod range of a node is set once', () => {
  const old = stored(K.NODES, 'spec: {podCIDR: 10.244.1.0/24}');
  assert.deepEqual(old.spec?.podCIDRs, ['10.244.1.0/24']);
  const { errors } = update(K.NODES, old, (node) => {
    node.spec = { podCIDR: '10.244.2.0/24' };
  });
  assert.deepEqual(errors, ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid']);
});

test('a node keeps the status it is created with, others do not', () => {
  assert.deepEqual(create(K.NODES, 'status: {capacity: {cpu: 4}}').object.status, {
    capacity: { cpu: '4' },
    allocatable: { cpu: '4' },
  });
  assert.deepEqual(create(K.INGRESSES, 'status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}').object.status, {
    loadBalancer: {},
  });
});

/** Any object the decoder can produce: any part may be missing. */
function anyValue(type: string, depth: number): fc.Arbitrary<unknown> {
  if (type.startsWith('[]'))
    return depth > 6 ? fc.constant([]) : fc.array(anyValue(type.slice(2), depth + 1), { maxLength: 2 });
  if (type.startsWith('{}'))
    return fc.dictionary(fc.constantFrom('a', 'cpu', 'x/y'), anyValue(type.slice(2), depth + 1), { maxKeys: 2 });
  if (type.startsWith('#')) return depth > 6 ? fc.constant({}) : anyStruct(type.slice(1), depth + 1);
  const plain: Record<string, fc.Arbitrary<unknown>> = {
    string: fc.constantFrom(
      '',
      'a',
      'None',
      'ClusterIP',
      'LoadBalancer',
      'ExternalName',
      '10.0.0.1',
      'Always',
      'IPv6',
      '../x',
    ),
    boolean: fc.boolean(),
    int32: fc.constantFrom(0, 1, 80, -1, 70000),
    int64: fc.constantFrom(0, 1, -1),
    double: fc.constant(1),
    byte: fc.constant('YQ=='),
    time: fc.constant('2026-11-20T12:00:00Z'),
    microtime: fc.constant('2026-11-20T12:00:00.000000Z'),
    intOrString: fc.constantFrom(0, 80, 'http', '50%', ''),
    quantity: fc.constantFrom('1', '100m', '-1'),
    any: fc.constant({}),
  };
  return plain[type] ?? fc.constant({});
}
function anyStruct(definition: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const { fields } = structOf(definition);
  const skipped = ['apiVersion', 'kind', 'managedFields'];
  const chosen = Object.entries(fields).filter(([field]) => !skipped.includes(field));
  return fc.record(Object.fromEntries(chosen.map(([field, type]) => [field, anyValue(type, depth)])), {
    requiredKeys: [],
  });
}

for (const kind of K.KINDS) {
  test(`no ${kind.kind} of ${K.apiVersionOf(kind)}, however incomplete, makes the rules fail`, () => {
    const definition = definitionOf(K.apiVersionOf(kind), kind.kind) ?? '';
    const strategy = strategyFor(K.storedKind(kind));
    const decoded = anyStruct(definition, 0).map((raw) =>
      fromVersion(decodeObject(kind, JSON.parse(JSON.stringify(raw))).object, kind),
    );
    fc.assert(
      fc.property(decoded, decoded, (object, old) => {
        for (const each of [object, old]) {
          each.metadata.name ??= '';
          strategy.applyDefaults(each);
          const once = JSON.stringify(each);
          strategy.applyDefaults(each);
          assert.equal(JSON.stringify(each), once, 'defaulting twice is defaulting once');
        }
        strategy.prepareForCreate(old);
        strategy.validate(old);
        strategy.prepareForUpdate(object, old);
        strategy.validateUpdate(object, old);
        strategy.prepareForStatusUpdate(object, old);
        strategy.validateStatusUpdate(object, old);
        strategy.warnings(object, old);
        strategy.selectableFields(object);
        strategy.deletionGracePeriod(object, undefined);
        toTable(kind, [object, old], 0);
      }),
      { numRuns: 30 },
    );
  });
}
