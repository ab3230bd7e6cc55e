/**
 * Section 4.4 of the features, row by row: what a pod's resolver is told and what the pod is called. A row that nothing here
 * proves fails the last test.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPod } from '../api/defaults/pod.ts';
import { fieldErrorMessage } from '../api/field-error.ts';
import type { Core, Pod } from '../api/types.ts';
import { validateDns, validateNames } from '../api/validation/pod-dns.ts';
import { renderHostsFile } from './hosts-file.ts';
import type { NodeDns, PodDns } from './parts.ts';
import { HostnameTooLong, kernelHostname, podNames } from './pod-names.ts';
import { dnsWarnings, parseResolvConf, podDns } from './resolv-conf.ts';
import { sandboxConfig } from './sandbox.ts';

const ROWS = Array.from({ length: 17 }, (_, at) => `4-0${String(63 + at)}`);

const proved = new Set<string>();

function proves(row: string, what: string, proof: () => void): void {
  test(`${row} ${what}`, () => {
    proof();
    proved.add(row);
  });
}

const HOST = `nameserver 192.0.2.1
search corp.example
options timeout:1 attempts:3
`;
const node = (text = HOST, clusterDns: readonly string[] = ['10.96.0.10']): NodeDns => ({
  clusterDns,
  clusterDomain: 'cluster.local',
  host: parseResolvConf(text),
});
const pod = (spec: Partial<Core.PodSpec> & { hostnameOverride?: string } = {}, name = 'p'): Pod => ({
  metadata: { name, namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});

/** As a runtime writes it. */
function text({ servers, searches, options }: PodDns): string {
  const line = (keyword: string, words: readonly string[]) => (words.length > 0 ? [[keyword, ...words].join(' ')] : []);
  return [
    ...line('search', searches),
    ...servers.map((server) => `nameserver ${server}`),
    ...line('options', options),
  ].join('\n');
}

const CLUSTER = `search ns.svc.cluster.local svc.cluster.local cluster.local corp.example
nameserver 10.96.0.10
options ndots:5`;
const OWN = `search corp.example
nameserver 192.0.2.1
options timeout:1 attempts:3`;
const many = (count: number, name: (at: number) => string) => Array.from({ length: count }, (_, at) => name(at));

interface Case {
  readonly row: string;
  readonly what: string;
  readonly spec?: Partial<Core.PodSpec>;
  readonly on?: NodeDns;
  readonly resolvConf: string;
  /** Reasons and the beginnings of messages. */
  readonly warns?: readonly string[];
}

const cases: Case[] = [
  { row: '4-063', what: 'ClusterFirst', spec: { dnsPolicy: 'ClusterFirst' }, resolvConf: CLUSTER },
  {
    row: '4-063',
    what: 'both families of the Service',
    on: node(HOST, ['10.96.0.10', 'fd00:96::a']),
    resolvConf: CLUSTER.replace('10.96.0.10', '10.96.0.10\nnameserver fd00:96::a'),
  },
  {
    row: '4-063',
    what: 'another cluster domain',
    on: { ...node(), clusterDomain: 'lab.example' },
    resolvConf: CLUSTER.replaceAll('cluster.local', 'lab.example'),
  },
  {
    row: '4-063',
    what: 'no cluster domain',
    on: { ...node(), clusterDomain: '' },
    resolvConf: 'search corp.example\nnameserver 10.96.0.10\noptions ndots:5',
  },
  { row: '4-064', what: 'on the node’s network', spec: { hostNetwork: true }, resolvConf: OWN },
  {
    row: '4-065',
    what: 'ClusterFirstWithHostNet on the node’s network',
    spec: { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
    resolvConf: CLUSTER,
  },
  { row: '4-065', what: 'and elsewhere', spec: { dnsPolicy: 'ClusterFirstWithHostNet' }, resolvConf: CLUSTER },
  { row: '4-066', what: 'Default', spec: { dnsPolicy: 'Default' }, resolvConf: OWN },
  { row: '4-066', what: 'on the node’s network', spec: { dnsPolicy: 'Default', hostNetwork: true }, resolvConf: OWN },
  {
    row: '4-066',
    what: 'a node without a resolver',
    spec: { dnsPolicy: 'Default' },
    on: node(''),
    resolvConf: 'nameserver 127.0.0.1',
  },
  {
    row: '4-067',
    what: 'nothing but dnsConfig',
    spec: { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.9'], options: [{ name: 'rotate' }] } },
    resolvConf: 'nameserver 192.0.2.9\noptions rotate',
  },
  { row: '4-068', what: 'no policy', resolvConf: CLUSTER },
  {
    row: '4-069',
    what: 'appended without repeats, options by name',
    spec: {
      dnsConfig: {
        nameservers: ['192.0.2.9', '10.96.0.10'],
        searches: ['svc.cluster.local', 'x.example'],
        options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }, { name: 'edns0', value: '' }],
      },
    },
    resolvConf: `search ns.svc.cluster.local svc.cluster.local cluster.local corp.example x.example
nameserver 10.96.0.10
nameserver 192.0.2.9
options ndots:2 edns0`,
  },
  {
    row: '4-069',
    what: 'with Default too',
    spec: { dnsPolicy: 'Default', dnsConfig: { options: [{ name: 'timeout', value: '9' }] } },
    resolvConf: OWN.replace('timeout:1', 'timeout:9'),
  },
  {
    row: '4-070',
    what: 'a fourth nameserver',
    spec: { dnsConfig: { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } },
    resolvConf: CLUSTER.replace('10.96.0.10', '10.96.0.10\nnameserver 192.0.2.1\nnameserver 192.0.2.2'),
    warns: [
      'DNSConfigForming Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.96.0.10 192.0.2.1 192.0.2.2',
    ],
  },
  {
    row: '4-070',
    what: 'a 33rd search domain',
    spec: { dnsConfig: { searches: many(29, (at) => `s${String(at)}`) } },
    resolvConf: CLUSTER.replace('corp.example', ['corp.example', ...many(28, (at) => `s${String(at)}`)].join(' ')),
    warns: [
      'DNSConfigForming Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ns.svc.cluster.local ',
    ],
  },
  {
    row: '4-070',
    what: 'one longer than a name may be',
    on: node(`search ${'x'.repeat(254)} corp.example\n`),
    resolvConf: CLUSTER,
    warns: ['DNSConfigForming Search Line limits were exceeded'],
  },
  {
    row: '4-070',
    what: 'more than 2048 characters in all',
    on: node(`search corp.example ${many(10, (at) => String(at).repeat(220)).join(' ')}\n`),
    resolvConf: CLUSTER.replace('corp.example', `corp.example ${many(8, (at) => String(at).repeat(220)).join(' ')}`),
    warns: ['DNSConfigForming Search Line limits were exceeded'],
  },
  {
    row: '4-071',
    what: 'a lone dot and underscores reach the resolver',
    spec: { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.9'], searches: ['.', '_sip._tcp.example'] } },
    resolvConf: 'search . _sip._tcp.example\nnameserver 192.0.2.9',
  },
  {
    row: '4-072',
    what: 'a node that knows no cluster DNS',
    on: node(HOST, []),
    resolvConf: OWN,
    warns: [
      'MissingClusterDNS pod: "p_ns(u)". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.',
    ],
  },
  {
    row: '4-072',
    what: 'is no matter to who does not ask for it',
    spec: { dnsPolicy: 'Default' },
    on: node(HOST, []),
    resolvConf: OWN,
  },
  {
    row: '4-073',
    what: 'options of the node are not those of the cluster’s DNS',
    spec: { dnsConfig: { options: [{ name: 'single-request' }] } },
    resolvConf: `${CLUSTER} single-request`,
  },
  {
    row: '4-074',
    what: 'the root and trailing dots of the node’s search list',
    on: node('# made by something\nnameserver 192.0.2.1 ; the first\nsearch old.example\nsearch . corp.example. .\n'),
    resolvConf: CLUSTER,
  },
];

for (const { row, what, spec, on = node(), resolvConf, warns = [] } of cases) {
  proves(row, `resolv.conf: ${what}`, () => {
    assert.equal(text(podDns(pod(spec), on)), resolvConf);
    const said = dnsWarnings(pod(spec), on).map(({ reason, message }) => `${reason} ${message}`);
    assert.deepEqual(
      said.map((line, at) => line.slice(0, warns[at]?.length)),
      warns,
    );
  });
}

proves('4-072', 'the Node is told as well', () => {
  const [warning] = dnsWarnings(pod(), node(HOST, []));
  assert.equal(warning?.onNode, warning?.message.replace('pod: "p_ns(u)". ', ''));
  assert.equal(dnsWarnings(pod({ dnsConfig: { searches: many(40, String) } }), node())[0]?.onNode, undefined);
});

proves('4-068', 'the API server writes the policy down', () => {
  const made = pod();
  defaultPod(made);
  assert.equal(made.spec.dnsPolicy, 'ClusterFirst');
});

const refusals: [row: string, spec: Partial<Core.PodSpec> & { hostnameOverride?: string }, errors: RegExp[]][] = [
  [
    '4-067',
    { dnsPolicy: 'None' },
    [/^spec\.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None$/],
  ],
  [
    '4-067',
    { dnsPolicy: 'None', dnsConfig: { searches: ['a'] } },
    [
      /^spec\.dnsConfig\.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None$/,
    ],
  ],
  [
    '4-070',
    { dnsConfig: { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'] } },
    [/^spec\.dnsConfig\.nameservers: Invalid value: .*: must not have more than 3 nameservers$/],
  ],
  [
    '4-070',
    { dnsConfig: { nameservers: ['here'] } },
    [/^spec\.dnsConfig\.nameservers\[0\]: Invalid value: "here": must be a valid IP address/],
  ],
  ['4-070', { dnsConfig: { searches: many(32, (at) => `s${String(at)}`) } }, []],
  [
    '4-070',
    { dnsConfig: { searches: many(33, (at) => `s${String(at)}`) } },
    [/: must not have more than 32 search paths$/],
  ],
  [
    '4-070',
    { dnsConfig: { searches: many(12, (at) => many(4, () => 'x'.repeat(50)).join('.') + String(at)) } },
    [/: must not have more than 2048 characters \(including spaces\) in the search list$/],
  ],
  [
    '4-070',
    { dnsConfig: { searches: [many(5, () => 'x'.repeat(50)).join('.')] } },
    [/searches\[0\]: .*: must be no more than 253 bytes$/],
  ],
  [
    '4-070',
    { dnsConfig: { options: [{ value: '1' }] } },
    [/^spec\.dnsConfig\.options\[0\]: Required value: must not be empty$/],
  ],
  ['4-071', { dnsConfig: { searches: ['.', '_sip._tcp.a_b.example', 'corp.example.'] } }, []],
  [
    '4-071',
    { dnsConfig: { searches: ['-a', 'a..b', 'a_', '__a'] } },
    many(4, String).map((at) => new RegExp(`searches\\[${at}\\]: .* '_', '-' or '\\.', and must start and end with`)),
  ],
  ['4-075', { hostname: 'a.b' }, [/^spec\.hostname: Invalid value: "a\.b": a lowercase RFC 1123 label/]],
  ['4-075', { hostnameOverride: 'www.example.com' }, []],
  [
    '4-075',
    { hostnameOverride: 'Www' },
    [/^spec\.hostnameOverride: Invalid value: "Www": a lowercase RFC 1123 subdomain/],
  ],
  [
    '4-075',
    { hostnameOverride: 'x'.repeat(65) },
    [/^spec\.hostnameOverride: Invalid value: .*: must be no more than 64 characters$/],
  ],
  ['4-075', { hostnameOverride: 'a', hostNetwork: true }, [/^spec\.hostnameOverride: Forbidden: .*hostNetwork/]],
  [
    '4-075',
    { hostnameOverride: 'a', setHostnameAsFQDN: true },
    [/^spec\.hostnameOverride: Forbidden: .*setHostnameAsFQDN/],
  ],
  ['4-076', { subdomain: 'a.b' }, [/^spec\.subdomain: Invalid value: "a\.b": a lowercase RFC 1123 label/]],
];
for (const [row, spec, errors] of refusals) {
  proves(row, `${errors.length === 0 ? 'taken' : 'refused'}: ${JSON.stringify(spec).slice(0, 80)}`, () => {
    const whole = { containers: [], dnsPolicy: 'ClusterFirst', ...spec };
    const said = [...validateDns(whole, 'spec'), ...validateNames(whole, 'spec')].map(fieldErrorMessage);
    assert.equal(said.length, errors.length, said.join('\n'));
    for (const [at, pattern] of errors.entries()) assert.match(said[at] ?? '', pattern);
  });
}

const names: [row: string, what: string, pod: Pod, kernel: string, hosts: string][] = [
  ['4-075', 'its name', pod(), 'p', 'p'],
  ['4-075', 'spec.hostname', pod({ hostname: 'web' }), 'web', 'web'],
  [
    '4-075',
    'cut to a label, without a dash at its end',
    pod({}, `${'x'.repeat(62)}-y`),
    'x'.repeat(62),
    'x'.repeat(62),
  ],
  ['4-075', 'a whole name needs a subdomain', pod({ setHostnameAsFQDN: true }), 'p', 'p'],
  [
    '4-075',
    'the whole name',
    pod({ hostname: 'web', subdomain: 'sub', setHostnameAsFQDN: true }),
    'web.sub.ns.svc.cluster.local',
    'web.sub.ns.svc.cluster.local\tweb',
  ],
  [
    '4-075',
    'hostnameOverride wins',
    pod({ hostname: 'web', subdomain: 'sub', hostnameOverride: 'www.example.com' }),
    'www.example.com',
    'www.example.com',
  ],
  ['4-076', 'a subdomain', pod({ subdomain: 'sub' }), 'p', 'p.sub.ns.svc.cluster.local\tp'],
];
for (const [row, what, each, kernel, hosts] of names) {
  proves(row, `names: ${what}`, () => {
    const own = podNames(each, 'cluster.local');
    assert.equal(kernelHostname(each, own), kernel);
    assert.match(renderHostsFile(each, ['10.244.0.5'], own, ''), new RegExp(`^10\\.244\\.0\\.5\t${hosts}$`, 'm'));
  });
}

proves('4-075', 'a whole name longer than the kernel takes cannot be had, and says so', () => {
  const long = pod({ hostname: 'x'.repeat(40), subdomain: 'sub', setHostnameAsFQDN: true });
  assert.throws(
    () => kernelHostname(long, podNames(long, 'cluster.local')),
    (error) => {
      assert.ok(error instanceof HostnameTooLong);
      assert.match(error.message, /is too long \(64 characters is the max, 65 characters requested\)$/);
      return true;
    },
  );
});

proves('4-077', '/etc/hosts: every pod IP with its names, then the aliases', () => {
  const hostAliases = [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }];
  const own = { hostname: 'web', domain: 'sub.ns.svc.cluster.local' };
  assert.equal(
    renderHostsFile(pod({ hostAliases }), ['10.244.0.5', 'fd00::5'], own, 'unused'),
    `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.244.0.5\tweb.sub.ns.svc.cluster.local\tweb
fd00::5\tweb.sub.ns.svc.cluster.local\tweb

# Entries added by HostAliases.
192.0.2.7\ta\tb
`,
  );
  assert.equal(
    renderHostsFile(pod({ hostNetwork: true, hostAliases }), ['172.30.0.11'], own, '127.0.0.1 localhost'),
    `# Kubernetes-managed hosts file (host network).
127.0.0.1 localhost

# Entries added by HostAliases.
192.0.2.7\ta\tb
`,
  );
});

proves('4-079', 'on the node’s network the name is the node’s, whatever spec.hostname says', () => {
  const context = { podLogsDir: '/logs', cgroupRoot: '/x', clusterDomain: 'cluster.local', dns: podDns(pod(), node()) };
  // The runtime takes an empty name for the node's own.
  assert.equal(sandboxConfig(pod({ hostNetwork: true, hostname: 'web' }), 0, context).hostname, '');
  assert.equal(sandboxConfig(pod({ hostname: 'web' }), 0, context).hostname, 'web');
});

proves(
  '4-078',
  'short names become whole ones through the search list (with real resolvers: test/walkthroughs)',
  () => {
    const { searches } = podDns(pod(), node());
    for (const name of ['web', 'web.ns', 'web.ns.svc'])
      assert.ok(
        searches.some((search) => `${name}.${search}` === 'web.ns.svc.cluster.local'),
        name,
      );
  },
);

test('every row of the section is proved here', () => {
  assert.deepEqual(
    ROWS.filter((row) => !proved.has(row)),
    [],
  );
});
