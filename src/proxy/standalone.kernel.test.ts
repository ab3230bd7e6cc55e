/** `fairway proxy` as people run it: a process of its own beside an API server, with real rules and real packets. Run by scripts/in-outer-namespace. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startTlsApi, type TlsApi } from '../../test/support/api.ts';
import { FAIRWAY } from '../../test/support/cluster.ts';
import { requireOuterNamespace } from '../../test/support/outer-namespace.ts';
import { createWeb, ProxyProcess, run } from '../../test/support/proxy-process.ts';
import { EVENTS, NODES } from '../api/kinds.ts';
import type { Node } from '../api/types.ts';

const NODE = '172.30.0.11';
let api: TlsApi;
let backend: Server;
let clusterIP = '';
let healthCheckNodePort = 0;

const fairway = (...args: string[]) => run(FAIRWAY, 'proxy', '--kubeconfig', api.kubeconfig, ...args);
/** Rules of ours in any table of either variant; KUBE-FIREWALL is the kubelet's as well, and stays. */
async function ourRules(): Promise<string[]> {
  const saved = await Promise.all(['iptables-legacy-save', 'iptables-nft-save'].map((tool) => run(tool)));
  const lines = saved.flatMap(({ stdout }) => stdout.split('\n'));
  return lines.filter((line) => line.includes('KUBE-') && !line.includes('KUBE-FIREWALL'));
}

const ofNode = ['--proxy-mode', 'iptables', '--hostname-override', 'NODE01', '--cluster-cidr', '10.244.0.0/16'];

before(async () => {
  requireOuterNamespace();
  await run('ip', 'address', 'add', `${NODE}/32`, 'dev', 'lo');
  // cluster IPs need a way out, or the kernel refuses them before any rule is asked
  await run('ip', 'route', 'add', '10.96.0.0/16', 'dev', 'lo');
  api = await startTlsApi();
  backend = createServer((request, response) => response.end(`you are ${String(request.socket.remoteAddress)}\n`));
  await new Promise<void>((resolve) => backend.listen(8080, NODE, resolve));
  const { client } = api;
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node01' } };
  await client.create(NODES, node);
  const status = { addresses: [{ type: 'InternalIP', address: NODE }] };
  await client.patch(NODES, 'node01', undefined, 'merge', { status }, { subresource: 'status' });
  const { spec } = await createWeb(client, NODE, { type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
  clusterIP = spec?.clusterIP ?? '';
  healthCheckNodePort = spec?.healthCheckNodePort ?? 0;
});

after(async () => {
  backend.close();
  backend.closeAllConnections();
  await api.stop();
});

describe('fairway proxy', () => {
  it('shows in a dry run what it would write, and writes nothing', async () => {
    const { status, stdout, stderr } = await fairway(...ofNode, '--dry-run');
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(`^-A KUBE-SERVICES .*-d ${clusterIP} .*-j KUBE-SVC-`, 'm'));
    assert.match(stdout, new RegExp(`--to-destination ${NODE}:8080`));
    assert.deepEqual(await ourRules(), []);
    const plans = JSON.parse((await fairway(...ofNode, '--dry-run', '-o', 'json')).stdout) as {
      family: string;
      plan: { servicePorts: { name: string }[] };
    }[];
    assert.equal(plans[0]?.family, 'IPv4');
    assert.ok(plans[0].plan.servicePorts.some((port) => port.name === 'default/web:'));
  });

  it('says which Nodes there are where its own is none of them', async () => {
    const { status, stderr } = await fairway('--proxy-mode', 'iptables', '--hostname-override', 'laptop', '--dry-run');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /there is no Node laptop with an address \(there is: node01\); say which one .*--hostname-override/,
    );
  });

  it('makes Services answer, tells how it is, and leaves the rules when it ends', async () => {
    const proxy = new ProxyProcess(api.kubeconfig, ...ofNode);
    await proxy.says(/rules written/);
    assert.match(await (await fetch(`http://${clusterIP}/`)).text(), /^you are /);
    const get = async (port: number, path: string) => {
      const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`);
      return { status: answer.status, text: await answer.text(), headers: answer.headers };
    };
    const health = JSON.parse((await get(10256, '/healthz')).text) as Record<string, unknown>;
    assert.deepEqual([health['healthy'], health['nodeEligible']], [true, true]);
    assert.deepEqual(Object.keys(health['status'] as object), ['IPv4']);
    assert.equal((await get(10249, '/proxyMode')).text, 'iptables');
    const metrics = (await get(10249, '/metrics')).text;
    assert.match(metrics, /^kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} [1-9]/m);
    assert.match(metrics, /^process_resident_memory_bytes [1-9]/m);
    assert.match(metrics, /^kubeproxy_sync_proxy_rules_iptables_total\{table="nat",ip_family="IPv4"\} [1-9]/m);
    assert.match(metrics, /^kubeproxy_proxy_healthz_total\{code="200"\} 1$/m);
    const configz = JSON.parse((await get(10249, '/configz')).text) as Record<string, Record<string, unknown>>;
    assert.equal(configz['kubeproxy.config.k8s.io']?.['clusterCIDR'], '10.244.0.0/16');

    const check = await get(healthCheckNodePort, '/healthz');
    assert.equal(check.status, 200);
    assert.equal(check.headers.get('x-load-balancing-endpoint-weight'), '1');
    const events = (await api.client.list(EVENTS)).items;
    assert.ok(events.some((event) => event.reason === 'Starting' && event.involvedObject.name === 'node01'));

    assert.equal(await proxy.end('SIGTERM'), 0);
    assert.match(await (await fetch(`http://${clusterIP}/`)).text(), /^you are /);
  });

  it('counts the INVALID packets it dropped, where conntrack may not be made liberal', async () => {
    const liberal = 'net.netfilter.nf_conntrack_tcp_be_liberal';
    await run('sysctl', '-q', '-w', `${liberal}=0`);
    const proxy = new ProxyProcess(api.kubeconfig, ...ofNode, '--conntrack-tcp-be-liberal=false');
    await proxy.says(/rules written/);
    assert.equal((await run('sysctl', '-n', liberal)).stdout.trim(), '0');
    const metrics = await (await fetch('http://127.0.0.1:10249/metrics')).text();
    assert.match(metrics, /^kubeproxy_iptables_ct_state_invalid_dropped_packets_total\{ip_family="IPv4"\} 0$/m);
    assert.equal(await proxy.end('SIGTERM'), 0);
  });

  it('where no mode is told runs nftables, says so, and clears the iptables rules away', async () => {
    const proxy = new ProxyProcess(api.kubeconfig, '--hostname-override', 'node01', '--cluster-cidr', '10.244.0.0/16');
    await proxy.says(/took away what another mode had left/);
    await proxy.says(/no proxy mode is told, and the default may change; set mode, or --proxy-mode/);
    assert.match(await (await fetch(`http://${clusterIP}/`)).text(), /^you are /);
    assert.equal(await (await fetch('http://127.0.0.1:10249/proxyMode')).text(), 'nftables');
    const metrics = await (await fetch('http://127.0.0.1:10249/metrics')).text();
    assert.match(metrics, /^kubeproxy_sync_proxy_rules_nftables_sync_failures_total\{ip_family="IPv4"\} 0$/m);
    assert.deepEqual(await ourRules(), []);
    assert.equal(await proxy.end('SIGTERM'), 0);
    assert.match((await fairway('--cleanup')).stdout, /^removed table ip kube-proxy of nftables$/m);
  });

  it('on a node with both families keeps both, each with its own health and figures', async () => {
    const dual = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'dual' } } as Node;
    await api.client.create(NODES, dual);
    const addresses = [NODE, 'fd00:172::11'].map((address) => ({ type: 'InternalIP', address }));
    await api.client.patch(NODES, 'dual', undefined, 'merge', { status: { addresses } }, { subresource: 'status' });
    const proxy = new ProxyProcess(api.kubeconfig, '--proxy-mode', 'nftables', '--hostname-override', 'dual');
    for (const family of ['IPv4', 'IPv6']) await proxy.says(new RegExp(`"family":"${family}".*rules written`));
    const health = (await (await fetch('http://127.0.0.1:10256/livez')).json()) as { status: object; healthy: boolean };
    assert.deepEqual([health.healthy, Object.keys(health.status)], [true, ['IPv4', 'IPv6']]);
    const metrics = await (await fetch('http://127.0.0.1:10249/metrics')).text();
    for (const family of ['IPv4', 'IPv6']) {
      const line = new RegExp(
        `^kubeproxy_sync_proxy_rules_duration_seconds_count\\{ip_family="${family}"\\} [1-9]`,
        'm',
      );
      assert.match(metrics, line);
    }
    assert.equal(await proxy.end('SIGTERM'), 0);
    const { stdout } = await fairway('--cleanup');
    assert.match(stdout, /^removed table ip kube-proxy of nftables\nremoved table ip6 kube-proxy of nftables$/m);
    const texts = (await fairway('--hostname-override', 'dual', '--dry-run')).stdout;
    assert.match(texts, /^# IPv4\n[^]*^# IPv6\n/m);
  });

  it('ends when its configuration file changes, and says why', async () => {
    const file = join(api.folder, 'config.conf');
    const config = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: { kubeconfig: ${api.kubeconfig} }
hostnameOverride: node01
`;
    writeFileSync(file, config);
    const proxy = new ProxyProcess(api.kubeconfig, '--config', file);
    await proxy.says(/rules written|using iptables/);
    const exit = once(proxy.child, 'exit') as Promise<[number]>;
    const said = proxy.says(/config\.conf is another now; ending/);
    writeFileSync(file, `${config}clusterCIDR: 10.0.0.0/8\n`);
    await said;
    assert.deepEqual((await exit)[0], 1);
  });

  it('with --bind-address-hard-fail ends when a port is taken', async () => {
    const taken = createServer(() => undefined);
    await new Promise<void>((resolve) => taken.listen(10256, '0.0.0.0', resolve));
    const proxy = new ProxyProcess(api.kubeconfig, ...ofNode, '--bind-address-hard-fail');
    const exit = once(proxy.child, 'exit') as Promise<[number]>;
    await proxy.says(/cannot listen on 0\.0\.0\.0:10256, and --bind-address-hard-fail says to end/);
    assert.equal((await exit)[0], 1);
    taken.close();
  });

  it('takes away with --cleanup what is ours and nothing else, and says when nothing was there', async () => {
    const foreign = ['-t', 'nat', '-A', 'PREROUTING', '-p', 'tcp', '--dport', '9', '-j', 'ACCEPT'];
    await run('iptables-legacy', ...foreign);
    assert.notDeepEqual(await ourRules(), []);
    const first = await fairway('--cleanup');
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stdout, /^removed \d+ chains and rules of iptables-/m);
    assert.deepEqual(await ourRules(), []);
    assert.match((await run('iptables-legacy-save', '-t', 'nat')).stdout, /--dport 9 -j ACCEPT/);
    const second = await fairway('--cleanup');
    assert.deepEqual([second.status, second.stdout], [0, 'Nothing of a proxy was there.\n']);
  });

  it('makes with --init-only the settings that need full root, and no rules', async () => {
    const { status } = await fairway('--proxy-mode', 'iptables', '--init-only');
    assert.equal(status, 0);
    assert.equal((await run('sysctl', '-n', 'net.ipv4.conf.all.route_localnet')).stdout.trim(), '1');
    assert.equal(
      (await run('sysctl', '-n', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait')).stdout.trim(),
      '3600',
    );
    assert.deepEqual(await ourRules(), []);
  });
});
