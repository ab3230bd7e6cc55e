/** `fairway status` */
import type { Command } from 'commander';
import type { ClusterStatus } from '../cluster/status.ts';
import { table } from '../lib/text.ts';
import { Answer } from './answer.ts';
import { knownLayout, requireRoot, withClusterFlags, withOutputFlag, type ClusterFlags } from './common.ts';

type Flags = ClusterFlags & { output?: 'json' };

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .summary('what runs, and whether the nodes are Ready')
    .description('Shows what of a cluster runs. Exit code 0 when all of it does, else 1.');
  withOutputFlag(withClusterFlags(command)).action(run);
}

async function run({ output, ...flags }: Flags): Promise<void> {
  knownLayout(flags);
  requireRoot('status');
  const { statusOf } = await import('../cluster/status.ts');
  const status = await statusOf(flags.name, flags.dataDir);
  if (!status) return;
  process.stdout.write(output === 'json' ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status));
  if (status.state !== 'ready')
    throw new Answer(
      1,
      output === 'json' ? '' : 'fairway: not everything runs; run: fairway up (and see: fairway logs)',
    );
}

/** The text for people. Pure. */
export function renderStatus(status: ClusterStatus): string {
  const isTold = status.server === 'running'; // else nobody can say what the cluster holds
  const head = [
    ['Cluster', `${status.name} (${status.state})`],
    ['API server', `${status.apiServer} (${status.server})`],
    ['Proxy mode', status.proxyMode],
    ['Objects', isTold ? `${String(status.pods)} Pods, ${String(status.services)} Services` : 'unknown'],
    ['Kubeconfig', status.kubeconfig],
  ];
  const nodes = status.nodes.map((node) => [
    node.name,
    isTold ? (node.ready ? 'Ready' : 'NotReady') : 'Unknown',
    node.address,
    node.podCidr || (isTold ? '<none>' : 'unknown'),
    node.agent,
    node.containerd,
  ]);
  return `${table(head)}\n${table([['NODE', 'STATUS', 'ADDRESS', 'POD-CIDR', 'AGENT', 'CONTAINERD'], ...nodes])}`;
}
