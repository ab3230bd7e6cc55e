/** `fairway up` */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CONFIG, HAIRPIN_MODES, PROXY_MODES, type ClusterConfig } from '../cluster/config.ts';
import { parseInteger, withClusterFlags, type ClusterFlags } from './common.ts';
import { Answer } from './answer.ts';

type NodeModes = ClusterConfig['nodeProxyModes'];
type Flags = ClusterFlags &
  Partial<Omit<ClusterConfig, 'nodeProxyModes'>> & { node?: NodeModes; timeout: number; quiet?: true };

const shown = (field: keyof ClusterConfig) => `(default: ${String(DEFAULT_CONFIG[field])})`;

export function addUp(program: Command): void {
  const command = program
    .command('up')
    .summary('start a cluster, or bring a running one to what is asked')
    .description(
      'Starts a cluster of real nodes on this machine and returns when every node is Ready. Safe to repeat: what runs is left alone, and only what differs is changed. Flags not given stay as they were at the last `up`.',
    );
  withClusterFlags(command)
    .addOption(new Option('--nodes <count>', `how many nodes ${shown('nodes')}`).argParser(parseInteger))
    .addOption(
      new Option('--proxy-mode <mode>', `how Services become kernel rules ${shown('proxyMode')}`).choices(PROXY_MODES),
    )
    .addOption(
      new Option('--node <name:proxy-mode=mode>', 'another proxy mode for one node; may be repeated').argParser(
        parseNode,
      ),
    )
    .option(
      '--service-cluster-ip-range <cidr>',
      `cluster IPs; with an IPv6 range behind a comma, of both families ${shown('serviceClusterIpRange')}`,
    )
    .option('--cluster-cidr <cidr>', `Pod addresses, a /24 for each node ${shown('clusterCidr')}`)
    .option('--service-node-port-range <range>', `node ports ${shown('serviceNodePortRange')}`)
    .option('--cluster-domain <domain>', `the names' suffix ${shown('clusterDomain')}`)
    .addOption(
      new Option(
        '--hairpin-mode <mode>',
        `how a Pod reaches itself through its Service ${shown('hairpinMode')}`,
      ).choices(HAIRPIN_MODES),
    )
    .option('--datastore <where>', `sqlite, or the members of an etcd: https://10.0.0.1:2379,… ${shown('datastore')}`)
    .option('--datastore-cafile <file>', 'the authority of the etcd members', absolute)
    .option('--datastore-certfile <file>', 'client certificate shown to them', absolute)
    .option('--datastore-keyfile <file>', 'its key', absolute)
    .option(
      '--audit-log-path <file>',
      "write a line for every request to the API server there (default: '', none)",
      absolute,
    )
    .option('--audit-policy-file <file>', 'what of which request (default: the metadata of all)', absolute)
    .option('--egress', 'let Pods reach the networks of this host (adds one masquerade rule to it)')
    .option('--no-egress', 'take that back')
    .addOption(new Option('--timeout <seconds>', 'how long to wait for the nodes').default(60).argParser(parseInteger))
    .option('-q, --quiet', 'print no progress')
    .addHelpText(
      'after',
      '\nExamples:\n  fairway up\n  fairway up --nodes 3 --service-node-port-range 20000-22767\n  fairway up --name second\n  fairway up --proxy-mode iptables --node node02:proxy-mode=userspace',
    )
    .action(run);
}

/** What is recorded must mean the same from every folder; '' is none. */
const absolute = (file: string) => (file === '' ? '' : resolve(file));

/** `node02:proxy-mode=ipvs`, added to those before it. */
function parseNode(text: string, before: NodeModes = {}): NodeModes {
  const [, name, mode] = /^(node\d{2}):proxy-mode=(\w+)$/.exec(text) ?? [];
  const known = PROXY_MODES.find((one) => one === mode);
  if (name === undefined || known === undefined) {
    throw new InvalidArgumentError(`must look like node02:proxy-mode=MODE, with one of ${PROXY_MODES.join(', ')}`);
  }
  return { ...before, [name]: known };
}

async function run({ name, dataDir, timeout, quiet, node, ...flags }: Flags): Promise<void> {
  const config = { ...flags, ...(node && { nodeProxyModes: node }) };
  const start = Date.now();
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  const progress = (text: string) => {
    if (!quiet) console.error(`  ${seconds().padStart(6)}  ${text}`);
  };
  const [{ up }, { UpRefused }] = await Promise.all([import('../cluster/up.ts'), import('../cluster/up-refused.ts')]);
  const interrupted = new AbortController();
  // Once: a second Ctrl-C ends us at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted.abort();
    });
  }
  try {
    const { signal } = interrupted;
    const layout = await up({ name, dataDir, config, timeout: timeout * 1000, progress, signal });
    if (quiet) return;
    console.error(`Cluster ${name} is ready after ${seconds()}. Talk to it with:`);
    console.log(`export KUBECONFIG=${layout.kubeconfig}`);
  } catch (error) {
    if (error instanceof UpRefused)
      throw new Answer(error.usage ? 2 : 1, error.problems.map((problem) => `fairway: ${problem}`).join('\n'));
    throw error;
  }
}
