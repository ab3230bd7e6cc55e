/** `fairway completion bash`: candidates come from the commands' own declarations, so they are never out of date. */
import { Argument, type Command } from 'commander';
import { listClusters } from '../cluster/state.ts';
import { DEFAULT_DATA_DIR } from '../cluster/layout.ts';

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
      console.log(candidates(program, words, () => listClusters(DEFAULT_DATA_DIR)).join('\n'));
    });
}

/** What may stand in the place of the last word. Pure but for the clusters' names, which are asked for only behind --name. */
export function candidates(program: Command, words: readonly string[], clusters: () => string[]): string[] {
  const before = words.slice(0, -1);
  let command = program;
  for (const word of before) command = command.commands.find((candidate) => candidate.name() === word) ?? command;
  const previous = before.at(-1);
  if (previous === '--name') return clusters();
  const option = command.options.find(
    ({ long, short }) => previous !== undefined && (long === previous || short === previous),
  );
  if (option?.argChoices) return option.argChoices;
  if (option?.required) return [];
  const names = command.commands.map((candidate) => candidate.name()).filter((name) => !name.startsWith('_'));
  return [...names, ...command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []))];
}
