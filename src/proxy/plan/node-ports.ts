/** Where node ports answer, from `nodePortAddresses` and the node's own addresses (3-065, 3-163, 3-166). */
import { cidrContains, parseCidr, type Cidr } from '../../lib/cidr.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Plan, PlanNode, PlanOptions } from './types.ts';

/**
 * `primary` names the first node IP, which can never be loopback: there only `localhostNodePorts` decides about it. Otherwise
 * loopback answers where all addresses do, or where a range holds it.
 */
export function nodePortsOf(node: PlanNode, options: PlanOptions): Pick<Plan, 'nodePortIPs' | 'localhostNodePorts'> {
  const { nodePortAddresses: wanted, family } = options;
  const isPrimary = wanted.length === 1 && wanted[0] === 'primary';
  const ranges = wanted.flatMap((text) => parseCidr(text) ?? []).filter((range) => range.family === family);
  const isAll = wanted.length === 0 || ranges.some((range) => range.bits === 0);
  // rules can take a node port of 127.0.0.1 elsewhere; the kernel has no such switch for ::1
  const possible = options.localhostNodePorts === 'rules' && family === 'IPv6' ? 'relay' : options.localhostNodePorts;
  const loopback = family === 'IPv6' ? '::1' : '127.0.0.1';
  const isWanted = isAll || holds(ranges, loopback) || (isPrimary && possible === 'relay');
  const localhostNodePorts = isWanted ? possible : 'off';
  if (isAll) return { nodePortIPs: 'all', localhostNodePorts };
  const own = node.ips.flatMap((text) => parseIp(text) ?? []).filter((ip) => ip.family === family);
  if (isPrimary) return { nodePortIPs: own.slice(0, 1).map(formatIp), localhostNodePorts };
  const ips = own.map(formatIp).filter((ip) => holds(ranges, ip));
  return { nodePortIPs: localhostNodePorts === 'rules' ? [...ips, loopback] : ips, localhostNodePorts };
}

function holds(ranges: readonly Cidr[], text: string): boolean {
  const ip = parseIp(text);
  return ip !== undefined && ranges.some((range) => cidrContains(range, ip));
}
