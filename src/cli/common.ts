/** The flags every cluster command takes. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_DATA_DIR, layoutOf, type Layout } from '../cluster/layout.ts';
import { readState, listClusters } from '../cluster/state.ts';
import { validateName } from '../cluster/config.ts';
import { Answer } from './answer.ts';

export interface ClusterFlags {
  readonly name: string;
  readonly dataDir: string;
}

export function withClusterFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--name <name>', 'which cluster; several run side by side').default('default').argParser(parseName),
    )
    .addOption(
      new Option('--data-dir <folder>', 'where clusters keep their state')
        .default(realFolder(DEFAULT_DATA_DIR), DEFAULT_DATA_DIR)
        .argParser(realFolder)
        .env('FAIRWAY_DATA_DIR'),
    );
}

/** Without symbolic links, as the kernel names what is mounted below: mounts are looked for by this name. */
export function realFolder(text: string): string {
  const path = resolve(text);
  try {
    return realpathSync(path);
  } catch {
    // Not there yet: its nearest parent may be a link all the same.
    return dirname(path) === path ? path : join(realFolder(dirname(path)), basename(path));
  }
}

export function withOutputFlag(command: Command): Command {
  return command.addOption(new Option('-o, --output <format>', 'for programs').choices(['json']));
}

function parseName(text: string): string {
  const problem = validateName(text);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return text;
}

export function parseInteger(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}

/** Throws an Answer that says how to become root. `command` is what was typed behind `fairway`. */
export function requireRoot(command: string, uid = process.getuid?.()): void {
  if (uid !== 0) throw new Answer(1, `fairway: what a cluster keeps and runs is root's; run: sudo fairway ${command}`);
}

/** The layout of a cluster that has been started before. Throws an Answer that says what to do when there is none. */
export function knownLayout({ name, dataDir }: ClusterFlags): Layout {
  const state = readState(layoutOf(name, dataDir, 0).stateFile);
  if (state) return layoutOf(name, dataDir, state.index);
  const others = listClusters(dataDir);
  throw new Answer(
    1,
    `fairway: there is no cluster ${name} in ${dataDir}${others.length > 0 ? ` (there is: ${others.join(', ')})` : ''}; run: fairway up${name === 'default' ? '' : ` --name ${name}`}`,
  );
}
