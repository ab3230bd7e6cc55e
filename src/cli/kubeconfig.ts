/** `fairway kubeconfig` */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { knownLayout, requireRoot, withClusterFlags, type ClusterFlags } from './common.ts';

export function addKubeconfig(program: Command): void {
  const command = program
    .command('kubeconfig')
    .summary('print the kubeconfig, or where it is')
    .description("Prints the administrator's kubeconfig of a cluster. It holds a private key: treat it like one.");
  withClusterFlags(command)
    .option('--path', "print the file's name instead")
    .addHelpText(
      'after',
      '\nExamples:\n  export KUBECONFIG=$(fairway kubeconfig --path)\n  fairway kubeconfig > ~/.kube/fairway',
    )
    .action(({ path, ...flags }: ClusterFlags & { path?: true }) => {
      const { kubeconfig } = knownLayout(flags);
      if (!path) requireRoot('kubeconfig');
      process.stdout.write(path ? `${kubeconfig}\n` : readFileSync(kubeconfig, 'utf8'));
    });
}
