import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configOf,
  DEFAULT_CONFIG,
  incompatibilities,
  validateConfig,
  validateName,
  type ClusterConfig,
} from './config.ts';
import { isOtherCluster } from './down.ts';
import { layoutOf } from './layout.ts';
import { planLan, planNode } from './network.ts';
import { agentPart, clusterDnsIps, firstAddress, serverPart } from './processes.ts';
import { repeatedEnd } from './wait-ready.ts';

const BAD: [change: Partial<ClusterConfig>, message: RegExp][] = [
  [{ nodes: 0 }, /^--nodes 0: must be 1 to 50$/],
  [{ clusterCidr: '10.244.0.0/33' }, /^--cluster-cidr 10.244.0.0\/33: must be a CIDR/],
  [{ clusterCidr: '10.244.0.0/24' }, /holds too few \/24 ranges for 2 nodes/],
  [{ clusterCidr: 'fd00::/64' }, /must be IPv4/],
  [{ serviceClusterIpRange: '10.96.0.0/30' }, /must be \/8 to \/28/],
  [{ serviceClusterIpRange: 'fd00:96::/112' }, /must begin with an IPv4 range/],
  [{ serviceClusterIpRange: '10.96.0.0/16,10.97.0.0/16' }, /may have one IPv6 range .* behind the comma/],
  [{ serviceClusterIpRange: '10.96.0.0/16,fd00::/48' }, /the IPv6 range must be \/64 to \/124/],
  [{ serviceNodePortRange: '30000' }, /must be LOW-HIGH/],
  [{ serviceNodePortRange: '40000-30000' }, /must be LOW-HIGH/],
  [{ nodeProxyModes: { node01: 'magic' as 'ipvs' } }, /^--node node01:proxy-mode=magic: must be one of nftables/],
  [{ nodeProxyModes: { node03: 'ipvs' } }, /^--node node03:proxy-mode=ipvs: with --nodes 2 there is no node03$/],
  [{ clusterDomain: 'Cluster.Local' }, /must be a lower-case domain name/],
];
for (const [change, message] of BAD) {
  test(`${JSON.stringify(change)} is refused in one sentence`, () => {
    const problems = validateConfig({ ...DEFAULT_CONFIG, ...change });
    assert.equal(problems.length, 1, problems.join('; '));
    assert.match(problems[0] ?? '', message);
  });
}

test('the defaults are valid', () => {
  assert.deepEqual(validateConfig(DEFAULT_CONFIG), []);
});

test('a flag that is not given stays as it was, and the mode of a node goes with the node', () => {
  const recorded: ClusterConfig = {
    ...DEFAULT_CONFIG,
    nodes: 3,
    nodeProxyModes: { node02: 'iptables', node03: 'ipvs' },
  };
  assert.deepEqual(configOf(recorded, {}), recorded);
  assert.deepEqual(configOf(recorded, { nodes: 2 }).nodeProxyModes, { node02: 'iptables' });
  assert.deepEqual(configOf(recorded, { nodeProxyModes: {} }).nodeProxyModes, {});
  assert.deepEqual(configOf(undefined, {}), DEFAULT_CONFIG);
});

test('addresses already given out cannot change, other flags can', () => {
  assert.deepEqual(
    incompatibilities(DEFAULT_CONFIG, { ...DEFAULT_CONFIG, nodes: 5, serviceNodePortRange: '20000-21000' }),
    [],
  );
  assert.match(
    incompatibilities(DEFAULT_CONFIG, { ...DEFAULT_CONFIG, serviceClusterIpRange: '10.97.0.0/16' })[0] ?? '',
    /--service-cluster-ip-range is 10.96.0.0\/16 .*fairway down --purge/,
  );
});

test('a second family may come to a cluster that is there (1-116)', () => {
  const dual = { ...DEFAULT_CONFIG, serviceClusterIpRange: '10.96.0.0/16,fd00:96::/112' };
  assert.deepEqual(validateConfig(dual), []);
  assert.deepEqual(incompatibilities(DEFAULT_CONFIG, dual), []);
  assert.equal(incompatibilities(dual, DEFAULT_CONFIG).length, 1, 'but not go');
});

test('names that would break paths or namespaces are refused', () => {
  for (const good of ['default', 'a', 'my-cluster-2']) assert.equal(validateName(good), undefined);
  for (const bad of ['', '-a', 'a-', 'A', '../x', 'a'.repeat(21), 'a_b'])
    assert.notEqual(validateName(bad), undefined, bad);
});

test('a cluster named like the beginning of another leaves the other alone', () => {
  assert.equal(isOtherCluster('fairway-a-lan', 'a'), false);
  assert.equal(isOtherCluster('fairway-a-node02', 'a'), false);
  assert.equal(isOtherCluster('fairway-a-b-node02', 'a'), true);
  assert.equal(isOtherCluster('fairway-a-node-node02', 'a'), true);
});

test('clusters of different numbers share no address, link or folder', () => {
  const [one, two] = [layoutOf('one', '/d', 0), layoutOf('two', '/d', 1)];
  assert.deepEqual(
    [one.lan.hostLink, one.apiServer, one.node(2).ip],
    ['fairway0', 'https://172.30.0.1:6443', '172.30.0.12'],
  );
  assert.deepEqual(
    [two.lan.hostLink, two.apiServer, two.node(2).ip],
    ['fairway1', 'https://172.30.1.1:6443', '172.30.1.12'],
  );
  assert.notEqual(one.node(1).dir, two.node(1).dir);
});

test('sockets stay within the 107 bytes a path may have', () => {
  const { node } = layoutOf('a'.repeat(20), '/var/lib/fairway', 255);
  assert.ok(`${node(50).containerdSocket}.ttrpc`.length <= 107);
});

test('only a cluster with egress gets a default route', () => {
  const layout = layoutOf('default', '/d', 0);
  const lines = (egress: boolean) => planNode(layout, layout.node(1), { ...DEFAULT_CONFIG, egress }).inNode;
  assert.ok(!lines(false).some((line) => line.includes('default')));
  assert.ok(lines(true).includes('route add default via 172.30.0.1'));
  assert.ok(lines(false).includes('route add 10.96.0.0/16 dev eth0'));
});

test('the host gets one address on one link and nothing else', () => {
  assert.deepEqual(planLan(layoutOf('default', '/d', 0)).onHost, [
    'address add 172.30.0.1/24 dev fairway0',
    'link set fairway0 up',
  ]);
});

test('well-known addresses of the service range', () => {
  assert.deepEqual(clusterDnsIps('10.96.0.0/16'), ['10.96.0.10']);
  assert.equal(firstAddress('10.96.0.0/16'), '10.96.0.1');
  assert.deepEqual(clusterDnsIps('10.96.0.0/16,fd00:96::/112'), ['10.96.0.10', 'fd00:96::a']);
});

test('a change of a flag changes the command of the part it concerns, and only that one', () => {
  const layout = layoutOf('default', '/d', 0);
  const [one, two] = [layout.node(1), layout.node(2)];
  const changed: ClusterConfig = { ...DEFAULT_CONFIG, nodeProxyModes: { node02: 'userspace' } };
  assert.deepEqual(serverPart(layout, changed), serverPart(layout, DEFAULT_CONFIG));
  assert.deepEqual(agentPart(layout, one, changed), agentPart(layout, one, DEFAULT_CONFIG));
  assert.notDeepEqual(agentPart(layout, two, changed), agentPart(layout, two, DEFAULT_CONFIG));
});

test('clusters of one name in two folders have each their own cgroup', () => {
  const [one, other] = [layoutOf('default', '/a', 0).cgroup, layoutOf('default', '/b', 0).cgroup];
  assert.match(one, /^fairway-default-[a-z2-7]{8}$/);
  assert.notEqual(one, other);
});

const END =
  '{"level":"warn","time":"2026-01-01T00:00:09.000Z","part":"supervise","msg":"server ended with code 1; starting it again in 200 ms"}\n';
test('a part that keeps ending is named with its last words', () => {
  const since = Date.parse('2026-01-01T00:00:09.500Z');
  const words = '{"level":"fatal","msg":"cannot listen","err":{"message":"EADDRINUSE"}}\n';
  assert.equal(repeatedEnd(words + END + words + END, since), undefined, 'twice may be a race');
  assert.equal(repeatedEnd(words + END + words + END + words + END, since), 'cannot listen: EADDRINUSE');
  assert.equal(repeatedEnd(`not json\n${END}${END}${END}`, since), 'not json');
  assert.equal(
    repeatedEnd(END + END + END, since + 1000),
    undefined,
    'ends of an earlier life are no reason to give up',
  );
});
