import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Core, Pod, Service } from '../api/types.ts';
import { expandVariables, makeEnvironment, serviceVariables } from './environment.ts';
import { parseQuantity } from './downward.ts';
import type { EnvironmentContext } from './parts.ts';

const service = (name: string, namespace: string, spec: Core.ServiceSpec): Service => ({
  metadata: { name, namespace },
  spec,
});
const kubernetes = service('kubernetes', 'default', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] });
const redis = service('redis-primary', 'shop', {
  clusterIP: '10.96.0.11',
  ports: [
    { name: 'client', port: 6379 },
    { name: 'sync-udp', port: 16379, protocol: 'UDP' },
  ],
});
const v6 = service('six', 'shop', { clusterIP: 'fd00::1', ports: [{ port: 80 }] });
const ignored = [
  service('headless', 'shop', { clusterIP: 'None', ports: [{ port: 1 }] }),
  service('outside', 'shop', { type: 'ExternalName', externalName: 'example.org' }),
  service('elsewhere', 'other', { clusterIP: '10.96.0.99', ports: [{ port: 1 }] }),
];

const context: EnvironmentContext = {
  services: [kubernetes, redis, v6, ...ignored],
  nodeName: 'node01',
  hostIPs: ['172.30.0.11'],
  podIPs: ['10.244.0.5', 'fd00::5'],
  allocatable: { cpu: '2', memory: '4Gi' },
  objects: {
    configMap: (namespace, name) =>
      Promise.resolve(
        namespace === 'shop' && name === 'settings'
          ? { metadata: { name }, data: { COLOUR: 'blue', 'not=a-name': 'x', dotted: '1' } }
          : undefined,
      ),
    secret: (_, name) =>
      Promise.resolve(name === 'login' ? { metadata: { name }, data: { user: 'YWRtaW4=' } } : undefined),
  },
};
const pod = (spec: Partial<Core.PodSpec> = {}): Pod => ({
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', labels: { app: 'web' }, annotations: { note: 'a "b"' } },
  spec: { containers: [], enableServiceLinks: false, ...spec },
});
const environmentOf = async (container: Partial<Core.Container>, spec: Partial<Core.PodSpec> = {}) => {
  const list = await makeEnvironment(pod(spec), { name: 'c', ...container }, { ...context });
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
};
const env = async (container: Partial<Core.Container>) => {
  const all = await environmentOf(container);
  return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('KUBERNETES_')));
};

test('Services of the namespace become host, port and link variables; default/kubernetes always does', () => {
  assert.deepEqual(Object.fromEntries(serviceVariables('shop', true, context.services)), {
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KUBERNETES_SERVICE_PORT: '443',
    KUBERNETES_SERVICE_PORT_HTTPS: '443',
    KUBERNETES_PORT: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
    KUBERNETES_PORT_443_TCP_PORT: '443',
    KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
    REDIS_PRIMARY_SERVICE_HOST: '10.96.0.11',
    REDIS_PRIMARY_SERVICE_PORT: '6379',
    REDIS_PRIMARY_SERVICE_PORT_CLIENT: '6379',
    REDIS_PRIMARY_SERVICE_PORT_SYNC_UDP: '16379',
    REDIS_PRIMARY_PORT: 'tcp://10.96.0.11:6379',
    REDIS_PRIMARY_PORT_6379_TCP: 'tcp://10.96.0.11:6379',
    REDIS_PRIMARY_PORT_6379_TCP_PROTO: 'tcp',
    REDIS_PRIMARY_PORT_6379_TCP_PORT: '6379',
    REDIS_PRIMARY_PORT_6379_TCP_ADDR: '10.96.0.11',
    REDIS_PRIMARY_PORT_16379_UDP: 'udp://10.96.0.11:16379',
    REDIS_PRIMARY_PORT_16379_UDP_PROTO: 'udp',
    REDIS_PRIMARY_PORT_16379_UDP_PORT: '16379',
    REDIS_PRIMARY_PORT_16379_UDP_ADDR: '10.96.0.11',
    SIX_SERVICE_HOST: 'fd00::1',
    SIX_SERVICE_PORT: '80',
    SIX_PORT: 'tcp://[fd00::1]:80',
    SIX_PORT_80_TCP: 'tcp://[fd00::1]:80',
    SIX_PORT_80_TCP_PROTO: 'tcp',
    SIX_PORT_80_TCP_PORT: '80',
    SIX_PORT_80_TCP_ADDR: 'fd00::1',
  });
});

test('without service links only default/kubernetes is left, and a namespace’s own kubernetes wins with them', () => {
  const own = service('kubernetes', 'shop', { clusterIP: '10.96.0.50', ports: [{ port: 80 }] });
  const host = (links: boolean, list: Service[]) =>
    serviceVariables('shop', links, list).get('KUBERNETES_SERVICE_HOST');
  assert.equal(host(false, [own, kubernetes, redis]), '10.96.0.1');
  assert.equal(host(true, [own, kubernetes]), '10.96.0.50');
  assert.equal(host(true, [kubernetes, own]), '10.96.0.50');
  assert.equal(serviceVariables('shop', false, context.services).has('REDIS_PRIMARY_SERVICE_HOST'), false);
});

test('the container’s own variables outweigh those of Services and may use them', async () => {
  const all = await environmentOf(
    {
      env: [
        { name: 'URL', value: 'http://$(REDIS_PRIMARY_SERVICE_HOST)/' },
        { name: 'REDIS_PRIMARY_PORT', value: 'mine' },
      ],
    },
    { enableServiceLinks: true },
  );
  assert.equal(all['URL'], 'http://10.96.0.11/');
  assert.equal(all['REDIS_PRIMARY_PORT'], 'mine');
});

test('envFrom takes whole ConfigMaps and Secrets, with a prefix, and env outweighs it', async () => {
  assert.deepEqual(
    await env({
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'DB_', secretRef: { name: 'login' } }],
      env: [{ name: 'dotted', value: 'mine' }],
    }),
    { COLOUR: 'blue', dotted: 'mine', DB_user: 'admin' },
  );
});

test('values come from keys, fields and resources', async () => {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const resource = (name: string, text: string, divisor?: string) => ({
    name,
    valueFrom: { resourceFieldRef: { resource: text, ...(divisor !== undefined && { divisor }) } },
  });
  assert.deepEqual(
    await env({
      resources: { requests: { cpu: '250m' }, limits: { memory: '64Mi' } },
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOUR' } } },
        { name: 'B', valueFrom: { secretKeyRef: { name: 'login', key: 'user' } } },
        { name: 'C', valueFrom: { secretKeyRef: { name: 'login', key: 'absent', optional: true } } },
        { name: 'D', valueFrom: { configMapKeyRef: { name: 'absent', key: 'k', optional: true } } },
        field('NAME', 'metadata.name'),
        field('APP', "metadata.labels['app']"),
        field('IP', 'status.podIP'),
        field('IPS', 'status.podIPs'),
        field('NODE', 'spec.nodeName'),
        field('HOST', 'status.hostIP'),
        field('ACCOUNT', 'spec.serviceAccountName'),
        resource('CPU', 'requests.cpu'),
        resource('CPU_MILLI', 'requests.cpu', '1m'),
        resource('CPU_LIMIT', 'limits.cpu'),
        resource('MEMORY', 'limits.memory'),
        resource('MEMORY_MI', 'limits.memory', '1Mi'),
        resource('MEMORY_REQUEST', 'requests.memory', '1Ki'),
      ],
    }),
    {
      A: 'blue',
      B: 'admin',
      NAME: 'web-1',
      APP: 'web',
      IP: '10.244.0.5',
      IPS: '10.244.0.5,fd00::5',
      NODE: 'node01',
      HOST: '172.30.0.11',
      ACCOUNT: 'default',
      CPU: '1',
      CPU_MILLI: '250',
      CPU_LIMIT: '2',
      MEMORY: '67108864',
      MEMORY_MI: '64',
      MEMORY_REQUEST: '65536',
    },
  );
});

const refusals: [what: string, container: Partial<Core.Container>, message: string][] = [
  ['a missing ConfigMap', { envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
  ['a missing Secret', { envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
  [
    'a missing key of a ConfigMap',
    { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'no' } } }] },
    "couldn't find key no in ConfigMap shop/settings",
  ],
  [
    'a missing key of a Secret',
    { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'login', key: 'no' } } }] },
    "couldn't find key no in Secret shop/login",
  ],
  [
    'an unknown field',
    { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] },
    'unsupported fieldPath: spec.x',
  ],
];
for (const [what, container, message] of refusals) {
  test(`${what} is a configuration error`, async () => {
    await assert.rejects(env(container), { name: 'ContainerConfigError', message });
  });
}

const expansions: [text: string, expected: string][] = [
  ['$(A)-$(B)', '1-2'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$1'],
  ['$(UNKNOWN) $A ${A} $', '$(UNKNOWN) $A ${A} $'],
  ['$(A', '$(A'],
  ['$()', '$()'],
];
for (const [text, expected] of expansions) {
  test(`${text} expands to ${expected}`, () => {
    assert.equal(expandVariables(text, new Map(Object.entries({ A: '1', B: '2' }))), expected);
  });
}

test('a variable uses earlier ones only', async () => {
  assert.deepEqual(
    await env({
      env: [
        { name: 'A', value: '1$(B)' },
        { name: 'B', value: '2$(A)' },
      ],
    }),
    { A: '1$(B)', B: '21$(B)' },
  );
});

test('quantities are exact, and nonsense is none', () => {
  const unit = 10n ** 9n;
  const table: [string, bigint | undefined][] = [
    ['1', unit],
    ['0.5', unit / 2n],
    ['100m', unit / 10n],
    ['1.5Gi', 3n * 2n ** 29n * unit],
    ['1e3', 1000n * unit],
    ['1E', 10n ** 18n * unit],
    ['5u', 5000n],
    ['', undefined],
    ['1Q', undefined],
    ['m', undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseQuantity(text), expected, text);
});
