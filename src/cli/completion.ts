/** `fairway completion bash`: candidates come from the commands' own declarations, so they are never out of date. */
import { Argument, type Command } from 'commander';
import { DEFAULT_DATA_DIR, layoutOf, nodeName } from '../cluster/layout.ts';
import { listClusters, readState } from '../cluster/state.ts';

const BASH = `_fairway() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(fairway __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _fairway fairway
`;

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands and flags')
    .addArgument(new Argument('<shell>').choices(['bash']))
    .addHelpText('after', '\nExample:\n  source <(fairway completion bash)')
    .action(() => {
      process.stdout.write(BASH);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .action((words: string[]) => {
      console.log(candidates(program, words, HERE).join('\n'));
    });
}

/** Names that no declaration tells. */
export interface Known {
  readonly clusters: () => string[];
  /** Of one cluster; none where there is no such cluster. */
  readonly nodes: (cluster: string) => string[];
}

const HERE: Known = {
  clusters: () => listClusters(DEFAULT_DATA_DIR),
  nodes: (cluster) => {
    const count = readState(layoutOf(cluster, DEFAULT_DATA_DIR, 0).stateFile)?.config.nodes ?? 0;
    return Array.from({ length: count }, (_, index) => nodeName(index + 1));
  },
};

/** What may stand in the place of the last word. Pure but for the names in `known`, which are asked for only where they may stand. */
export function candidates(program: Command, words: readonly string[], known: Known): string[] {
  const before = words.slice(0, -1);
  let command = program;
  let behind: readonly string[] = [];
  for (const [at, word] of before.entries()) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next) [command, behind] = [next, before.slice(at + 1)];
  }
  const previous = before.at(-1);
  if (previous === '--name') return known.clusters();
  const cluster = before[before.indexOf('--name') + 1];
  if (previous === '--node') return known.nodes(before.includes('--name') ? (cluster ?? '') : 'default');
  const option = command.options.find(
    ({ long, short }) => previous !== undefined && (long === previous || short === previous),
  );
  if (option?.argChoices) return option.argChoices;
  if (option?.required) return [];
  const names = command.commands.map((candidate) => candidate.name()).filter((name) => !name.startsWith('_'));
  const flags = command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
  return [...names, ...firstArguments(command, behind, known), ...flags];
}

/** Values of a command's first argument, while it is not there. `behind`: the words behind the command's name. */
function firstArguments(command: Command, behind: readonly string[], known: Known): readonly string[] {
  const takesValue = (word: string) =>
    command.options.some(({ long, short, required }) => required && (word === long || word === short));
  const hasArgument = behind.some((word, at) => !word.startsWith('-') && !takesValue(behind[at - 1] ?? ''));
  const [argument] = command.registeredArguments;
  if (!argument || hasArgument) return [];
  if (argument.argChoices) return argument.argChoices;
  const name = behind.indexOf('--name');
  const nodes = () => known.nodes(name < 0 ? 'default' : (behind[name + 1] ?? ''));
  if (argument.name() === 'node') return nodes();
  if (argument.name() === 'part') return ['server', ...nodes().flatMap((node) => [node, `${node}-containerd`])];
  return [];
}
