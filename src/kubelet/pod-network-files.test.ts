import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Core, Pod } from '../api/types.ts';
import { renderHostsFile } from './hosts-file.ts';
import type { NodeDns, PodDns } from './parts.ts';
import { dnsWarnings, parseResolvConf, podDns } from './resolv-conf.ts';

const node: NodeDns = {
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  host: { servers: ['192.0.2.1'], searches: ['corp.example'], options: ['timeout:1'] },
};
const pod = (spec: Partial<Core.PodSpec>): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});
const cluster: PodDns = {
  servers: ['10.96.0.10'],
  searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
  options: ['ndots:5'],
};

const policies: [what: string, spec: Partial<Core.PodSpec>, expected: PodDns][] = [
  ['no policy (4-063, 4-068)', {}, cluster],
  ['ClusterFirst on the node’s network (4-064)', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, node.host],
  ['ClusterFirstWithHostNet (4-065)', { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, cluster],
  ['Default (4-066)', { dnsPolicy: 'Default' }, node.host],
  [
    'None with a dnsConfig (4-067)',
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.9'], options: [{ name: 'rotate' }] } },
    { servers: ['192.0.2.9'], searches: [], options: ['rotate'] },
  ],
  [
    'ClusterFirst with a dnsConfig: appended without repeats, options by name (4-069)',
    {
      dnsConfig: {
        nameservers: ['192.0.2.9', '10.96.0.10'],
        searches: ['svc.cluster.local', 'x.example'],
        options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
      },
    },
    {
      servers: ['10.96.0.10', '192.0.2.9'],
      searches: [...cluster.searches, 'x.example'],
      options: ['ndots:2', 'edns0'],
    },
  ],
];
for (const [what, spec, expected] of policies) {
  test(`resolv.conf: ${what}`, () => {
    assert.deepEqual(podDns(pod(spec), node), expected);
  });
}

test('resolv.conf: more than three servers or 32 searches are cut off with a warning (4-070)', () => {
  const many = pod({
    dnsConfig: {
      nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'],
      searches: Array.from({ length: 40 }, (_, i) => `s${i}`),
    },
  });
  const dns = podDns(many, node);
  assert.deepEqual(dns.servers, ['10.96.0.10', '1.1.1.1', '2.2.2.2']);
  assert.equal(dns.searches.length, 32);
  assert.deepEqual(
    dnsWarnings(many, node).map(({ reason, message }) => [reason, message.split(',')[0]]),
    [
      ['DNSConfigForming', 'Nameserver limits were exceeded'],
      ['DNSConfigForming', 'Search Line limits were exceeded'],
    ],
  );
  const long = pod({ dnsConfig: { searches: Array.from({ length: 20 }, (_, i) => `${'x'.repeat(200)}${i}`) } });
  assert.ok(podDns(long, node).searches.join(' ').length <= 2048);
});

test('resolv.conf: a node without cluster DNS falls back to its own and says so (4-072)', () => {
  const lonely = { ...node, clusterDns: [] };
  assert.deepEqual(podDns(pod({}), lonely), node.host);
  assert.deepEqual(
    dnsWarnings(pod({}), lonely).map(({ reason }) => reason),
    ['MissingClusterDNS'],
  );
  assert.deepEqual(dnsWarnings(pod({ dnsPolicy: 'Default' }), lonely), []);
});

test('the node’s resolv.conf is read: comments, last search line, "." and trailing dots (4-074)', () => {
  const text = `# made by something
nameserver 192.0.2.1 ; the first
nameserver fd00::1
domain old.example
search . corp.example. lab.example
options timeout:1 rotate
`;
  assert.deepEqual(parseResolvConf(text), {
    servers: ['192.0.2.1', 'fd00::1'],
    searches: ['corp.example', 'lab.example'],
    options: ['timeout:1', 'rotate'],
  });
});

test('hosts file: every pod IP with its names, then the aliases', () => {
  const text = renderHostsFile(
    pod({ hostAliases: [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }] }),
    ['10.244.0.5', 'fd00::5'],
    { hostname: 'web', domain: 'sub.ns.svc.cluster.local' },
    'unused',
  );
  assert.equal(
    text,
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
});

test('hosts file: a hostname that is the whole name is not given its domain twice', () => {
  const text = renderHostsFile(pod({}), ['10.244.0.5'], { hostname: 'web.sub.ns', domain: 'sub.ns' }, '');
  assert.match(text, /^10\.244\.0\.5\tweb\.sub\.ns\tweb$/m);
});

test('hosts file: on the node’s network it is the node’s own, and aliases', () => {
  const spec = { hostNetwork: true, hostAliases: [{ ip: '192.0.2.7', hostnames: ['a'] }] };
  assert.equal(
    renderHostsFile(pod(spec), ['172.30.0.11'], { hostname: 'node01', domain: '' }, '127.0.0.1 localhost'),
    `# Kubernetes-managed hosts file (host network).
127.0.0.1 localhost

# Entries added by HostAliases.
192.0.2.7\ta
`,
  );
});
