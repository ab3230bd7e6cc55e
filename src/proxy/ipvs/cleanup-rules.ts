/** Which iptables rules go: all of ipvs mode, all that iptables mode does not use as well, or what iptables mode left (3-072, trap T13). */
import { FIREWALL, isOurChain as isIptablesChain } from '../iptables/names.ts';
import type { Tables } from '../iptables/parse.ts';
import { ruleText } from '../iptables/render.ts';
import type { Rule } from '../iptables/rule-set.ts';
import { ruleSignature } from '../iptables/signature.ts';
import { isIpvsChain } from './names.ts';
import { JUMPS } from './rules.ts';

/** Jumps that iptables mode words the same way. */
const SHARED_JUMPS = ['kubernetes service portals', 'kubernetes postrouting rules', 'kubernetes forwarding rules'];

const says = ({ matches }: Rule, texts: readonly string[]): boolean =>
  matches.some((match) => match.kind === 'comment' && texts.includes(match.text));

/** Input for `iptables-restore --noflush`, given what iptables-save printed; '' when nothing of ours is there. */
export function renderCleanup(tables: Tables): string {
  return renderRemoval(tables, isIpvsChain, (table, to) => isIpvsChain(table, to));
}

/** The same while iptables mode is in force: what it uses as well stays. */
export function renderCleanupBesideIptables(tables: Tables): string {
  const isOnlyOurs = (table: string, chain: string) => isIpvsChain(table, chain) && !isIptablesChain(table, chain);
  return renderRemoval(tables, isOnlyOurs, (table, to, rule) => {
    if (isOnlyOurs(table, to)) return true;
    return isIpvsChain(table, to) && isOurJump(rule) && !says(rule, SHARED_JUMPS);
  });
}

/** What iptables mode left and ipvs mode, which is in force, has no use for. KUBE-FIREWALL is the kubelet's as well. */
export function renderTakeover(tables: Tables): string {
  const isLeft = (table: string, chain: string) =>
    isIptablesChain(table, chain) && !isIpvsChain(table, chain) && chain !== FIREWALL;
  return renderRemoval(
    tables,
    isLeft,
    (table, to, rule) =>
      isLeft(table, to) || (isIpvsChain(table, to) && isIptablesChain(table, to) && !isOurJump(rule)),
  );
}

const ours = new Set(JUMPS.map((jump) => ruleSignature(jump.rule)));
const isOurJump = (rule: Rule): boolean => ours.has(ruleSignature(rule));

function renderRemoval(
  tables: Tables,
  removes: (table: string, chain: string) => boolean,
  removesJump: (table: string, to: string, rule: Rule) => boolean,
): string {
  return Object.entries(tables)
    .map(([table, chains]) => {
      const gone = chains.filter(({ name }) => removes(table, name)).map(({ name }) => name);
      const jumps = chains
        .filter(({ policy }) => policy !== undefined)
        .flatMap((chain) =>
          chain.rules
            .filter((rule) => rule.target.kind === 'jump' && removesJump(table, rule.target.chain, rule))
            .map((rule) => `-D ${chain.name}${ruleText(rule)}\n`),
        );
      if (gone.length + jumps.length === 0) return '';
      const emptied = gone.map((name) => `:${name} - [0:0]\n`);
      return [`*${table}\n`, ...emptied, ...jumps, ...gone.map((name) => `-X ${name}\n`), 'COMMIT\n'].join('');
    })
    .join('');
}
