/**
 * `fairway`: the list of commands. Exit codes: 0 done or yes, 1 failed or no, 2 used wrongly. Each command's work is imported when it
 * runs, so `fairway --help` is quick and a background part loads nothing it does not need.
 */
import { Command, CommanderError } from 'commander';
import { addAgent } from './agent.ts';
import { addCompletion } from './completion.ts';
import { withoutCoreDnsFlags } from './coredns-flags.ts';
import { addDns } from './dns.ts';
import { addDown } from './down.ts';
import { addImage } from './image.ts';
import { addKubeconfig } from './kubeconfig.ts';
import { addLogs } from './logs.ts';
import { addExec } from './exec.ts';
import { addProxy } from './proxy.ts';
import { addServer } from './server.ts';
import { addStatus } from './status.ts';
import { addUp } from './up.ts';
import { Answer } from './answer.ts';

/** `args`: the command line, where one command reads itself differently because of them. */
export function program(args: readonly string[] = []): Command {
  const command = new Command('fairway')
    .description(
      'Kubernetes Services, whole, on one Linux machine: a cluster of real nodes, containers, rules and packets in seconds.',
    )
    .version('fairway 0.1.0 (Kubernetes v1.36.2)', '-V, --version')
    .showHelpAfterError('(add --help for the flags and examples)')
    .exitOverride()
    .enablePositionalOptions();
  for (const add of [
    addUp,
    addDown,
    addStatus,
    addKubeconfig,
    addLogs,
    addExec,
    addImage,
    addServer,
    addAgent,
    addProxy,
    addDns,
    addCompletion,
  ])
    add(command, args);
  return command;
}

/** Where administrators' tools are; a user's PATH often lacks them, and `sudo` may keep that. */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export async function main(given: readonly string[]): Promise<number> {
  const args = withoutCoreDnsFlags(given);
  // What Pods see is made by us and what we start: it must be readable for their users whatever the shell's own mask is.
  process.umask(0o022);
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  process.env['PATH'] = [...path, ...SBIN.filter((folder) => !path.includes(folder))].join(':');
  try {
    await program(args).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof Answer) {
      if (error.message !== '') console.error(error.message);
      return error.exitCode;
    }
    for (const line of messageLines(error)) console.error(`fairway: ${line}`);
    return 1;
  }
}

/** The error's message, and its causes' where they add something. A stack only when asked for by FAIRWAY_DEBUG. */
function messageLines(error: unknown): string[] {
  if (process.env['FAIRWAY_DEBUG'] && error instanceof Error) return [error.stack ?? error.message];
  const own = error instanceof Error ? error.message.split('\n') : [String(error)];
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
  return cause === undefined || own.some((line) => line.includes(cause)) ? own : [...own, `  because: ${cause}`];
}
