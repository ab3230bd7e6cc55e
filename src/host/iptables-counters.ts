/** How often rules of one chain matched, as iptables prints it. One chain: the whole table would be as dear as saving it. */
import type { Exec } from './exec.ts';
import type { IptablesVariant } from './iptables.ts';

export interface RuleCounter {
  readonly packets: number;
  /** `DROP all -- * * 0.0.0.0/0 0.0.0.0/0 ctstate INVALID`, spaces made one. */
  readonly text: string;
}

export interface ChainOfTable {
  readonly variant: IptablesVariant;
  readonly family: 'IPv4' | 'IPv6';
  readonly table: string;
  readonly chain: string;
}

/** In the order of the rules. Throws HostError, also where there is no such chain. */
export async function ruleCounters(exec: Exec, where: ChainOfTable): Promise<readonly RuleCounter[]> {
  const { variant, family, table, chain } = where;
  const tool = `${family === 'IPv6' ? 'ip6tables' : 'iptables'}-${variant}`;
  const { stdout } = await exec(tool, ['-w', '1', '-t', table, '-nvxL', chain], { timeout: 5000 });
  return parseCounters(stdout);
}

export function parseCounters(text: string): readonly RuleCounter[] {
  return text.split('\n').flatMap((line) => {
    const [, packets, rest = ''] = /^\s*(\d+)\s+\d+\s+(.*)$/.exec(line) ?? [];
    return packets === undefined ? [] : [{ packets: Number(packets), text: rest.trim().replaceAll(/\s+/g, ' ') }];
  });
}
