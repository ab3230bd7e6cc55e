/** What must be done to take ours away and nothing else: foreign virtual servers, ipsets and rules stay (3-072, trap T13). */
import type { Iptables } from '../../host/iptables.ts';
import type { IpvsTools } from '../../host/ipvs-tools.ts';
import type { Family } from '../../lib/ip.ts';
import { parse as parseTables } from '../iptables/parse.ts';
import { renderCleanup, renderCleanupBesideIptables } from './cleanup-rules.ts';
import { holdingOf } from './holding.ts';
import { parseSets } from './parse.ts';
import { markField } from './settings.ts';
import { setName } from './sets.ts';
import { parseServers } from './virtual-server.ts';

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
      (saved) => (besideIptables ? renderCleanupBesideIptables : renderCleanup)(parseTables(saved)),
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
