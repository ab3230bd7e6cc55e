/** What must be done to take ours away and nothing else: foreign virtual servers, ipsets and rules stay (3-072, trap T13). */
import type { Iptables } from '../../host/iptables.ts';
import type { IpvsTools } from '../../host/ipvs-tools.ts';
import type { Family } from '../../lib/ip.ts';
import { isOurChain as isIptablesChain } from '../iptables/names.ts';
import { parse as parseTables, type Tables } from '../iptables/parse.ts';
import { ruleText } from '../iptables/render.ts';
import { comment, type Rule } from '../iptables/rule-set.ts';
import { holdingOf } from './holding.ts';
import { isIpvsChain } from './names.ts';
import { parseSets } from './parse.ts';
import { markField } from './settings.ts';
import { setName } from './sets.ts';
import { parseServers } from './virtual-server.ts';

/** Jumps that iptables mode words the same way. */
const SHARED_JUMPS = ['kubernetes service portals', 'kubernetes postrouting rules', 'kubernetes forwarding rules'];

/**
 * Input for `iptables-restore --noflush`, given what iptables-save printed; '' when nothing of ours is there. `besideIptables`: iptables
 * mode is in force, so what it uses as well stays.
 */
export function renderCleanup(tables: Tables, besideIptables = false): string {
  const spares = (table: string, chain: string) => besideIptables && isIptablesChain(table, chain);
  const isSharedJump = ({ matches }: Rule) =>
    matches.some((match) => match.kind === 'comment' && SHARED_JUMPS.includes(match.text));
  return Object.entries(tables)
    .map(([table, chains]) => {
      const ours = chains.filter(({ name }) => isIpvsChain(table, name) && !spares(table, name));
      const jumps = chains
        .filter((chain) => !isIpvsChain(table, chain.name))
        .flatMap((chain) =>
          chain.rules
            .filter(({ target }) => target.kind === 'jump' && isIpvsChain(table, target.chain))
            .filter((rule) => {
              const to = rule.target.kind === 'jump' ? rule.target.chain : '';
              return !spares(table, to) || !(isSharedJump(rule) || !isOwnWording(rule));
            })
            .map((rule) => `-D ${chain.name}${ruleText(rule)}\n`),
        );
      if (ours.length + jumps.length === 0) return '';
      const empty = ours.map(({ name }) => `:${name} - [0:0]\n`);
      const gone = ours.map(({ name }) => `-X ${name}\n`);
      return [`*${table}\n`, ...empty, ...jumps, ...gone, 'COMMIT\n'].join('');
    })
    .join('');
}

/** The jump to the firewall, which both modes have, in the words of this one. */
function isOwnWording({ matches }: Rule): boolean {
  const own = comment('kube-proxy firewall rules');
  return matches.some((match) => match.kind === 'comment' && own.kind === 'comment' && match.text === own.text);
}

export interface CleanupTools {
  readonly family: Family;
  readonly tools: IpvsTools;
  /** Both variants: which one an older run used is not known. */
  readonly iptables: readonly Iptables[];
  readonly masqueradeBit: number;
}

/** What went, in words. */
export async function cleanup(
  { family, tools, iptables, masqueradeBit }: CleanupTools,
  besideIptables = false,
): Promise<readonly string[]> {
  const removed: string[] = [];
  const say = (count: number, what: string) => {
    if (count > 0) removed.push(`${String(count)} ${what} (${family})`);
  };
  for (const one of iptables) {
    const text = await one.save().then(
      (saved) => renderCleanup(parseTables(saved), besideIptables),
      () => '', // a variant this kernel or machine does not have holds nothing
    );
    if (text !== '') await one.restore(text);
    say(text.split('\n').filter((line) => /^-[DX] /.test(line)).length, `chains and rules of iptables-${one.variant}`);
  }
  const sets = parseSets(await tools.saveSets().catch(() => ''), family);
  const bound = await tools.boundAddresses();
  const servers = await tools.saveServers().then(parseServers, () => new Map<string, never>());
  const own = { family, nodeIPs: undefined, markMask: markField({ masqueradeBit }).mask };
  const held = holdingOf({ sets, servers, bound, tables: {} }, own, () => false);
  await tools.changeServers([...held.servers.keys()].map((key) => `-D ${key}`));
  say(held.servers.size, 'virtual servers');
  await tools.changeAddresses([], [...(bound ?? [])]);
  say(bound?.size ?? 0, 'addresses of kube-ipvs0');
  if (bound && (await tools.isDeviceEmpty())) await tools.deleteDevice();
  await tools.changeSets([...sets.keys()].map((id) => `destroy ${setName(id, family)}`));
  say(sets.size, 'ipsets');
  return removed;
}
