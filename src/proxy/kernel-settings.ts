/** Settings of the node's network that every mode needs, as far as the kernel lets us change them: never fatal (trap T24). */
import type { Sysctl } from '../host/sysctl.ts';
import type { Family } from '../lib/ip.ts';

/** Flags `--conntrack-…` (3-141, 3-169..3-171). Seconds; 0 keeps what the kernel has. */
export interface ConntrackSettings {
  readonly maxPerCore: number;
  readonly min: number;
  readonly tcpEstablishedTimeout: number;
  readonly tcpCloseWaitTimeout: number;
  readonly udpTimeout: number;
  readonly udpStreamTimeout: number;
  /** false leaves what the kernel has, and INVALID packets are dropped by a rule; undefined, true: set where the kernel lets us (trap T4). */
  readonly tcpBeLiberal?: boolean;
}

const LIBERAL = 'net.netfilter.nf_conntrack_tcp_be_liberal';

export interface PreparedKernel {
  /** Packets conntrack calls INVALID must be dropped: translated connections would leak untranslated packets, which the client answers with a reset (3-042, trap T4). */
  readonly dropInvalid: boolean;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

export async function prepareKernel(
  sysctl: Sysctl,
  families: readonly Family[],
  localhostByRules: boolean,
): Promise<PreparedKernel> {
  const warnings: string[] = [];
  if (localhostByRules && !(await sysctl.write('net.ipv4.conf.all.route_localnet', '1'))) {
    warnings.push('net.ipv4.conf.all.route_localnet cannot be set: node ports will not answer on 127.0.0.1');
  }
  // without it, answers between Pods on one bridge take the short way and are never translated back
  for (const family of families) {
    const name = `net.bridge.bridge-nf-call-${family === 'IPv6' ? 'ip6tables' : 'iptables'}`;
    if (await sysctl.write(name, '1')) continue;
    warnings.push(`${name} cannot be set: Pods of this node may not reach each other through Services`);
  }
  const isLiberal = await sysctl.write(LIBERAL, '1');
  return { dropInvalid: !isLiberal, warnings };
}
