/** `fairway agent`: kubelet, proxy and DNS of one node in one process. `up` runs one in each node's network. */
import { Option, type Command } from 'commander';
import { HAIRPIN_MODES, PROXY_MODES } from '../cluster/config.ts';
import type { AgentOptions } from '../cluster/agent.ts';

export function addAgent(program: Command): void {
  program
    .command('agent')
    .summary('run a node: kubelet, proxy and DNS (what `up` starts)')
    .description(
      'Runs the kubelet, the proxy and the DNS of one node in the foreground, in the network it is started in.',
    )
    .requiredOption('--kubeconfig <file>', 'how to reach the API server, as this node')
    .option('--proxy-kubeconfig <file>', 'the identity of the proxy (default: that of the node)')
    .option('--dns-kubeconfig <file>', 'the identity of the DNS server (default: that of the node)')
    .requiredOption('--node-name <name>', 'the name to register')
    .requiredOption('--node-ip <ip>', 'the address other nodes reach it at')
    .requiredOption('--data-dir <folder>', 'where volumes, logs and sockets are')
    .requiredOption('--container-runtime-endpoint <url>', "containerd's socket, unix://…")
    .requiredOption('--client-ca-file <file>', 'the authority whose client certificates the kubelet trusts')
    .requiredOption('--tls-cert-file <file>', "the kubelet's serving certificate")
    .requiredOption('--tls-private-key-file <file>', 'its key')
    .requiredOption('--cni-conf-dir <folder>', 'where containerd looks for the network configuration')
    .option('--cni-bin-dir <folder>', 'where the network plugins are', '/usr/lib/cni')
    .option('--cluster-cidr <cidr>', 'Pod addresses', '10.244.0.0/16')
    .option('--cluster-dns <ips>', 'the DNS servers Pods are told, with commas between', '10.96.0.10')
    .option('--cluster-domain <domain>', 'the suffix of names', 'cluster.local')
    .option('--service-cluster-ip-range <cidr>', 'cluster IPs')
    .option('--service-node-port-range <range>', 'node ports')
    .option('--cgroup-root <path>', "where Pods' control groups hang", '/fairway')
    .option('--starters-dir <folder>', 'local images to fall back on')
    .option('--resolv-conf <file>', 'upstream DNS servers', '/etc/resolv.conf')
    .addOption(
      new Option('--hairpin-mode <mode>', 'how a Pod reaches itself').choices(HAIRPIN_MODES).default('hairpin-veth'),
    )
    .addOption(
      new Option('--proxy-mode <mode>', 'how Services become kernel rules').choices(PROXY_MODES).default('nftables'),
    )
    .action(async (flags: AgentOptions) => {
      const { runAgent } = await import('../cluster/agent.ts');
      await runAgent(flags);
    });
}
