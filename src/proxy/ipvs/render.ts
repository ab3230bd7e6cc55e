/** What a dry run prints: three texts, each for the tool its heading names. The elements of KUBE-IPVS-IPS are bound to kube-ipvs0. */
import { render as renderRules } from '../iptables/render.ts';
import type { IpvsRules } from './compile.ts';
import { createSetLine, setName } from './sets.ts';
import { renderServers } from './virtual-server.ts';

export const HEADINGS = ['# ipset restore\n', '# ipvsadm --restore\n', '# iptables-restore --noflush\n'] as const;

export function render({ sets, servers, rules }: IpvsRules): string {
  const { family } = rules;
  const [forIpset, forIpvsadm, forIptables] = HEADINGS;
  const lines = [...sets].flatMap(([id, elements]) => [
    `${createSetLine(id, family)}\n`,
    ...elements.map((element) => `add ${setName(id, family)} ${element}\n`),
  ]);
  return [forIpset, ...lines, forIpvsadm, renderServers(servers), forIptables, renderRules(rules)].join('');
}
