/** `fairway logs` */
import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { Answer } from './answer.ts';
import {
  knownLayout,
  parseInteger,
  requireRoot,
  withClusterFlags,
  withOutputFlag,
  type ClusterFlags,
} from './common.ts';
import { renderLogLine } from './log-line.ts';

type Flags = ClusterFlags & { follow?: true; tail: number; output?: 'json' };

export function addLogs(program: Command): void {
  const command = program
    .command('logs')
    .summary('what the parts of a cluster say')
    .description(
      "Prints the log of one part: server, a node's agent (node01), its containerd (node01-containerd). Without PART: all of them.",
    )
    .argument('[part]', 'server, node01, node01-containerd, …');
  withOutputFlag(withClusterFlags(command))
    .option('-f, --follow', 'go on as it grows')
    .option('--tail <lines>', 'how many lines from the end', parseInteger, 50)
    .action(run);
}

async function run(part: string | undefined, { follow, tail, output, ...flags }: Flags): Promise<void> {
  const { logs } = knownLayout(flags);
  requireRoot('logs');
  const parts = existsSync(logs)
    ? readdirSync(logs)
        .filter((file) => file.endsWith('.log'))
        .map((file) => file.slice(0, -4))
        .sort()
    : [];
  if (part !== undefined && !parts.includes(part))
    throw new Answer(2, `fairway: there is no log of ${part}; there is: ${parts.join(', ') || 'none yet'}`);
  const files = (part === undefined ? parts : [part]).map((name) => join(logs, `${name}.log`));
  if (files.length === 0) throw new Answer(1, `fairway: cluster ${flags.name} has no logs yet`);
  const args = ['-n', String(tail), ...(follow ? ['-F'] : []), ...files];
  await new Promise<void>((resolve, reject) => {
    const child = spawn('tail', args, { stdio: ['ignore', output === 'json' ? 'inherit' : 'pipe', 'inherit'] });
    child.on('error', reject);
    child.on('close', () => {
      resolve();
    });
    if (!child.stdout) return;
    // A reader that went away (`| head`) ends it.
    process.stdout.on('error', () => child.kill());
    createInterface({ input: child.stdout }).on('line', (line) => process.stdout.write(`${renderLogLine(line)}\n`));
  });
}
