/** `fairway node exec` and `fairway lan exec`: a command where the rules are, or on a machine outside the cluster. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { namespaceExists } from '../host/links.ts';
import { readState } from '../cluster/state.ts';
import { nodeName } from '../cluster/layout.ts';
import { nodePath } from '../cluster/node-tools.ts';
import { Answer } from './answer.ts';
import { knownLayout, requireRoot, withClusterFlags, type ClusterFlags } from './common.ts';

/** `args` are those of the command line: only behind `--`, or without one, do flags belong to the command that is to run. */
export function addExec(program: Command, args: readonly string[] = []): void {
  const passOn = !args.includes('--');
  const node = program
    .command('node')
    .summary('work on a node')
    .description('Work on one node of a cluster.')
    .helpCommand(false);
  withClusterFlags(node.command('exec'))
    .summary("run a command in a node's network")
    .description(
      'Runs a command inside the network namespace of a node: its links, routes and rules, the files of this machine.',
    )
    .argument('<node>', 'node01, node02, …')
    .argument('<command...>', 'what to run there, behind --')
    .addHelpText(
      'after',
      '\nExamples:\n  fairway node exec node01 -- iptables-save -t nat\n  fairway node exec node02 -- curl 10.96.0.1:443',
    )
    .passThroughOptions(passOn)
    .action(onNode);
  const lan = program
    .command('lan')
    .summary('work outside the cluster')
    .description("Work on a machine of the cluster's LAN that is no node.")
    .helpCommand(false);
  withClusterFlags(lan.command('exec'))
    .summary('run a command on the LAN, outside the cluster')
    .description('Runs a command on the LAN as a machine that is not part of the cluster (its address ends in .2).')
    .argument('<command...>', 'what to run there, behind --')
    .addHelpText('after', '\nExample:\n  fairway lan exec -- curl 172.30.0.11:30380')
    .passThroughOptions(passOn)
    .action(onLan);
}

async function onLan(command: string[], flags: ClusterFlags): Promise<void> {
  const { lan } = knownLayout(flags);
  requireRoot('lan exec');
  await inNamespace(lan, 'the LAN', command, flags);
}

async function onNode(name: string, command: string[], flags: ClusterFlags): Promise<void> {
  const layout = knownLayout(flags);
  const count = readState(layout.stateFile)?.config.nodes ?? 0;
  const names = Array.from({ length: count }, (_, i) => nodeName(i + 1));
  if (!names.includes(name))
    throw new Answer(2, `fairway: cluster ${flags.name} has no node ${name}; its nodes are ${names.join(', ')}`);
  requireRoot('node exec');
  const node = layout.node(names.indexOf(name) + 1);
  await inNamespace(node, name, command, flags, { PATH: nodePath(node) });
}

async function inNamespace(
  where: { namespace: string; namespacePath: string },
  title: string,
  command: string[],
  { name }: ClusterFlags,
  env: Record<string, string> = {},
): Promise<void> {
  if (!namespaceExists(where.namespace))
    throw new Answer(
      1,
      `fairway: ${title} of cluster ${name} is not up; run: fairway up${name === 'default' ? '' : ` --name ${name}`}`,
    );
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${where.namespacePath}`, ...command], {
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    // Ctrl-C reaches both of us: only the command decides what it means. Others are passed on.
    process.on('SIGINT', () => undefined);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve(status ?? (signal ? 128 + constants.signals[signal] : 1));
    });
  });
  if (code !== 0) throw new Answer(code);
}
