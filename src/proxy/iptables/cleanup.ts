/** What must be written to take our rules away and nothing else (3-072). KUBE-FIREWALL stays: the kubelet has a part in it. */
import { isOurChain } from './names.ts';
import { FIREWALL } from './names.ts';
import type { Tables } from './parse.ts';
import { ruleText } from './render.ts';

/** Input for `iptables-restore --noflush`, given what iptables-save printed; '' when nothing of ours is there. */
export function renderCleanup(tables: Tables, isOursOf = isOurChain): string {
  return Object.entries(tables)
    .map(([table, chains]) => {
      const isOurs = (name: string) => name !== FIREWALL && isOursOf(table, name);
      const ours = chains.filter((chain) => isOurs(chain.name)).map((chain) => chain.name);
      const jumps = chains
        .filter((chain) => !isOurs(chain.name))
        .flatMap((chain) =>
          chain.rules
            .filter(({ target }) => target.kind === 'jump' && isOurs(target.chain))
            .map((rule) => `-D ${chain.name}${ruleText(rule)}\n`),
        );
      if (ours.length + jumps.length === 0) return '';
      const empty = ours.map((name) => `:${name} - [0:0]\n`);
      const gone = ours.map((name) => `-X ${name}\n`);
      return [`*${table}\n`, ...empty, ...jumps, ...gone, 'COMMIT\n'].join('');
    })
    .join('');
}
