/** `fairway down` */
import type { Command } from 'commander';
import { withClusterFlags, type ClusterFlags } from './common.ts';
import { Answer } from './answer.ts';

type Flags = ClusterFlags & { purge?: boolean; all?: boolean };

export function addDown(program: Command): void {
  const command = program
    .command('down')
    .summary('stop a cluster; no process, namespace, mount, link, cgroup or rule of it stays')
    .description(
      'Stops a cluster and takes every trace of it off the machine except its data, so that the next `up` goes on where it stopped.',
    );
  withClusterFlags(command)
    .option('--purge', 'remove the data as well')
    .option('--all', 'every cluster of the data directory')
    .action(run);
}

async function run({ name, dataDir, purge = false, all = false }: Flags): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Answer(1, 'fairway: down removes namespaces and needs root; run: sudo fairway down');
  const [{ down }, { listClusters }] = await Promise.all([import('../cluster/down.ts'), import('../cluster/state.ts')]);
  for (const one of all ? listClusters(dataDir) : [name]) {
    const found = await down({ name: one, dataDir, purge });
    console.error(
      found
        ? `Cluster ${one} is down${purge ? ' and its data is removed' : ''}.`
        : `There is no cluster ${one} in ${dataDir}; nothing to do.`,
    );
  }
}
