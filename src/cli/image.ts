/** `fairway image load` and `fairway image starters` */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { layoutOf } from '../cluster/layout.ts';
import { readState } from '../cluster/state.ts';
import { table } from '../lib/text.ts';
import { knownLayout, requireRoot, withClusterFlags, withOutputFlag, type ClusterFlags } from './common.ts';

export function addImage(program: Command): void {
  const image = program
    .command('image')
    .summary('bring images to the nodes')
    .description('Brings container images to the nodes of a cluster, without a registry.')
    .helpCommand(false);
  withClusterFlags(image.command('load'))
    .summary('load an image archive into every node')
    .description('Loads an archive (docker save, or an OCI layout in a tar file) into the containerd of every node.')
    .argument('<file>', 'the archive')
    .addHelpText('after', '\nExample:\n  docker save my-app:1 > my-app.tar && fairway image load my-app.tar')
    .action(load);
  withOutputFlag(withClusterFlags(image.command('starters')))
    .summary("build the starter images from this machine's packages")
    .description(
      "Builds small local images (nginx, busybox, serve_hostname, dig, a MariaDB client) from the distribution's packages, for machines that reach no registry. They are marked with the annotation io.fairway.starter.",
    )
    .argument('[names...]', 'only these')
    .action(starters);
}

async function load(file: string, flags: ClusterFlags): Promise<void> {
  const layout = knownLayout(flags);
  requireRoot('image load');
  const { loadImage } = await import('../cluster/images/index.ts');
  const count = readState(layout.stateFile)?.config.nodes ?? 0;
  for (let number = 1; number <= count; number++) {
    const node = layout.node(number);
    const names = await loadImage(node.containerdSocket, resolve(file));
    console.log(`${node.name}: ${names.join(', ')}`);
  }
}

async function starters(names: string[], { dataDir, output }: ClusterFlags & { output?: 'json' }): Promise<void> {
  const { buildStarters } = await import('../cluster/images/index.ts');
  const reports = await buildStarters(layoutOf('default', dataDir, 0).starters, names.length > 0 ? { names } : {});
  if (output === 'json') {
    console.log(
      JSON.stringify(
        reports.map(({ starter, built }) => ({ ...starter, built })),
        undefined,
        2,
      ),
    );
    return;
  }
  const rows = reports.map(({ starter, built }) => [
    starter.name,
    built ? 'built' : 'up to date',
    starter.images.join(', '),
  ]);
  process.stdout.write(table([['STARTER', 'STATE', 'IMAGES'], ...rows]));
}
