import assert from 'node:assert/strict';
import test from 'node:test';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import { parseKubernetes, type KubernetesOptions } from './options.ts';

function parse(directive: string, blockZones: readonly string[] = ['.']): KubernetesOptions {
  const [block] = parseCorefile(`.:53 {\n${directive}\n}\n`, { file: 'Corefile', environment: () => undefined });
  const [found] = block?.directives ?? [];
  assert.ok(found);
  return parseKubernetes(found, blockZones);
}

const defaults: KubernetesOptions = {
  rules: { zones: ['cluster.local.'] },
  connection: {},
  endpoints: true,
  startupTimeout: 5000,
  idle: [],
};
const rules = (more: KubernetesOptions['rules'] | Omit<KubernetesOptions['rules'], 'zones'>) => ({
  rules: { ...defaults.rules, ...more },
});
const place = { file: 'Corefile', line: 3 };

for (const [lines, expected] of [
  ['', {}],
  ['endpoint https://10.0.0.1:6443', { connection: { endpoint: { url: 'https://10.0.0.1:6443', place } } }],
  ['endpoint http://a http://b', { connection: { endpoint: { url: 'http://a', place } }, idle: ['endpoint http://b'] }],
  ['tls cert key ca', { connection: { tls: { cert: 'cert', key: 'key', ca: 'ca', place } } }],
  ['kubeconfig /etc/k', { connection: { kubeconfig: { path: '/etc/k', place } } }],
  ['kubeconfig /etc/k admin', { connection: { kubeconfig: { path: '/etc/k', context: 'admin', place } } }],
  [
    'apiserver_qps 5.5\napiserver_burst 10\napiserver_max_inflight 2',
    { idle: ['apiserver_qps', 'apiserver_burst', 'apiserver_max_inflight'] },
  ],
  ['namespaces a b\nnamespaces c', rules({ namespaces: ['a', 'b', 'c'] })],
  [
    'namespace_labels istio-injection=enabled',
    { namespaceLabels: 'istio-injection=enabled', ...rules({ viewedNamespaces: true }) },
  ],
  [
    'labels environment in (staging, qa),application=nginx',
    { labels: 'environment in (staging, qa),application=nginx' },
  ],
  ['pods disabled', rules({ pods: 'disabled' })],
  ['pods insecure', rules({ pods: 'insecure' })],
  ['pods verified', rules({ pods: 'verified' })],
  ['endpoint_pod_names', rules({ endpointPodNames: true })],
  ['ttl 0', rules({ ttl: 0 })],
  ['ttl 3600', rules({ ttl: 3600 })],
  ['noendpoints', { endpoints: false }],
  ['fallthrough', { fallthrough: ['.'] }],
  ['fallthrough in-addr.arpa 10.0.0.0/8', { fallthrough: ['in-addr.arpa.', '10.in-addr.arpa.'] }],
  ['ignore empty_service', rules({ ignoreEmptyService: true })],
  ['zonal', rules({ zonal: true })],
  ['prefer_zone', rules({ preferZone: true })],
  ['startup_timeout 1m30s', { startupTimeout: 90_000 }],
  ['startup_timeout 0', { startupTimeout: 0 }],
] as const satisfies readonly (readonly [string, Partial<KubernetesOptions>])[]) {
  test(`option ${lines.replaceAll('\n', ', ')}`, () => {
    assert.deepEqual(parse(`kubernetes cluster.local {\n${lines}\n}`), { ...defaults, ...expected });
  });
}

test('zones are those of the directive, or of the block', () => {
  assert.deepEqual(parse('kubernetes', ['0.10.in-addr.arpa.', 'cluster.local.']).rules.zones, [
    '0.10.in-addr.arpa.',
    'cluster.local.',
  ]);
  assert.deepEqual(parse('kubernetes Cluster.Local. 10.0.0.0/15 fd00::/8').rules.zones, [
    'cluster.local.',
    '0.10.in-addr.arpa.',
    '1.10.in-addr.arpa.',
    'd.f.ip6.arpa.',
  ]);
  const shared = parse('kubernetes cluster.local clusterset.local {\nmulticluster clusterset.local\n}');
  assert.deepEqual(shared.rules.multicluster, ['clusterset.local.']);
});

for (const [lines, reason] of [
  ['kubernetes in-addr.arpa 10.0.0.0/8', '2: kubernetes: non-reverse zone name must be used'],
  ['kubernetes c.l {\nsomething else\n}', '3: kubernetes: unknown option "something", there are endpoint, tls,'],
  ['kubernetes c.l {\nendpoint\n}', '3: endpoint: expected the URL of an API server'],
  [
    'kubernetes c.l {\ntls cert key\n}',
    '3: tls: expected the files of a certificate, its key and a CA, found "cert key"',
  ],
  ['kubernetes c.l {\nkubeconfig\n}', '3: kubeconfig: expected a file'],
  ['kubernetes c.l {\napiserver_qps -1\n}', '3: apiserver_qps: expected a number of at least 0, found "-1"'],
  ['kubernetes c.l {\napiserver_burst many\n}', '3: apiserver_burst: expected a whole number'],
  ['kubernetes c.l {\napiserver_max_inflight\n}', '3: apiserver_max_inflight: expected a number of requests'],
  ['kubernetes c.l {\nnamespaces\n}', '3: namespaces: expected namespaces'],
  [
    'kubernetes c.l {\nnamespaces a\nnamespace_labels b=c\n}',
    '2: kubernetes: namespaces and namespace_labels cannot both be set',
  ],
  ['kubernetes c.l {\nnamespace_labels\n}', '3: namespace_labels: expected a label selector'],
  ['kubernetes c.l {\nlabels a in (b\n}', "3: labels: unable to parse label selector value: 'a in (b':"],
  ['kubernetes c.l {\npods\n}', '3: pods: expected one of disabled, verified, insecure'],
  ['kubernetes c.l {\n\npods always\n}', '4: pods: wrong value: always, must be one of: disabled, verified, insecure'],
  ['kubernetes c.l {\nendpoint_pod_names yes\n}', '3: endpoint_pod_names: takes no arguments, found "yes"'],
  ['kubernetes c.l {\nttl 3601\n}', '3: ttl: expected a whole number from 0 to 3600, found "3601"'],
  ['kubernetes c.l {\nttl -1\n}', '3: ttl: expected a whole number from 0 to 3600, found "-1"'],
  ['kubernetes c.l {\nttl\n}', '3: ttl: expected seconds'],
  [
    'kubernetes c.l {\nignore emptyservice\n}',
    "3: ignore: unable to parse ignore value: 'emptyservice', expected empty_service",
  ],
  [
    'kubernetes c.l {\nmulticluster other.local\n}',
    '3: multicluster: is not authoritative for the multicluster zone other.local. (authoritative zones: c.l.)',
  ],
  ['kubernetes c.l {\nstartup_timeout soon\n}', '3: startup_timeout: expected a time such as 5s'],
  ['kubernetes c.l {\ntransfer to *\n}', '3: transfer: zone transfers of the cluster are refused: remove the line'],
  ['kubernetes c.l {\nupstream\n}', '3: upstream: aliases are looked up by this server itself'],
  ['kubernetes c.l {\nresyncperiod 5m\n}', '3: resyncperiod: the watches need no resync'],
  ['kubernetes c.l {\nzonal {\nx\n}\n}', '3: zonal: takes no block'],
] as const) {
  test(`refused: ${lines.replaceAll('\n', ' ')}`, () => {
    assert.throws(
      () => parse(lines),
      (error) => error instanceof CorefileError && error.message.startsWith(`Corefile:${reason}`),
      reason,
    );
  });
}
