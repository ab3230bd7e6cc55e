/** Settings of the node's network that every mode needs, as far as the kernel lets us change them: never fatal (trap T24). */
import { availableParallelism } from 'node:os';
import type { Sysctl } from '../../host/sysctl.ts';
import type { Family } from '../../lib/ip.ts';
import { conntrackLimits, defaultConntrackSettings, type ConntrackSettings } from './conntrack-settings.ts';
import { reservedPorts } from './reserved-ports.ts';

const LOCAL_RANGE = 'net.ipv4.ip_local_port_range';
const RESERVED = 'net.ipv4.ip_local_reserved_ports';
const LIBERAL = 'net.netfilter.nf_conntrack_tcp_be_liberal';

export interface PreparedKernel {
  /** Packets conntrack calls INVALID must be dropped: translated connections would leak untranslated packets, which the client answers with a reset (3-042, trap T4). */
  readonly dropInvalid: boolean;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

export interface KernelNeeds {
  readonly families: readonly Family[];
  /** Rules take node ports of 127.0.0.1 elsewhere. */
  readonly localhostByRules: boolean;
  readonly conntrack?: Partial<ConntrackSettings> | undefined;
  readonly cores?: number;
  /** LOW-HIGH; undefined: not known. */
  readonly nodePortRange?: string | undefined;
}

export async function prepareKernel(sysctl: Sysctl, needs: KernelNeeds): Promise<PreparedKernel> {
  const { families, localhostByRules, cores = availableParallelism() } = needs;
  const conntrack = { ...defaultConntrackSettings, ...needs.conntrack };
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
  warnings.push(...(await limitConntrack(sysctl, conntrack, cores)));
  if (needs.nodePortRange !== undefined) warnings.push(...(await reserve(sysctl, needs.nodePortRange)));
  const isLiberal =
    conntrack.tcpBeLiberal === false ? (await sysctl.read(LIBERAL)) === '1' : await sysctl.write(LIBERAL, '1');
  return { dropInvalid: !isLiberal, warnings };
}

/** Local sockets of both families take their ports from these. */
async function reserve(sysctl: Sysctl, nodePortRange: string): Promise<readonly string[]> {
  const [local = '', reserved = ''] = await Promise.all([sysctl.read(LOCAL_RANGE), sysctl.read(RESERVED)]);
  const wanted = reservedPorts(local, reserved, nodePortRange);
  if (wanted === undefined || (await sysctl.write(RESERVED, wanted))) return [];
  return [`${RESERVED} cannot be set: connections of this node may take node ports as their own`];
}

/** One sentence at most: on a node that is a network namespace several of them cannot be written, and one line is enough to know. */
async function limitConntrack(sysctl: Sysctl, settings: ConntrackSettings, cores: number): Promise<readonly string[]> {
  const stuck: string[] = [];
  for (const { name, value, isFloor } of conntrackLimits(settings, cores)) {
    const current = await sysctl.read(name);
    // a kernel without the setting has nothing that could be too low
    if (current === undefined || (isFloor && Number(current) >= value)) continue;
    if (!(await sysctl.write(name, String(value)))) stuck.push(`${name} stays ${current} (wanted ${String(value)})`);
  }
  return stuck.length === 0 ? [] : [`${stuck.join(', ')}: not to be written here, going on with what there is`];
}
