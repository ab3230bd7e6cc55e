/** Who may use a load balancer IP, as ranges that do not overlap: the kernel refuses those that do. */
import { cidrSize, parseCidr } from '../../lib/cidr.ts';
import { parseIp, type Family } from '../../lib/ip.ts';
import type { ServicePort } from '../plan/types.ts';
import { bytesOfNumber } from './bytes.ts';

/** First and last address, in bytes. */
export interface AddressRange {
  readonly from: string;
  readonly to: string;
}

/** CIDRs lie within one another or apart, so dropping those inside another is enough. With the node, its load balancer IPs are let in (3-061). */
export function rangesOf(service: ServicePort, family: Family): readonly AddressRange[] {
  const ranges = service.sourceRanges.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr ? [{ from: cidr.base, to: cidr.base + cidrSize(cidr) - 1n }] : [];
  });
  for (const ip of service.nodeInSourceRanges ? service.loadBalancerIPs : []) {
    const value = parseIp(ip)?.value;
    if (value !== undefined) ranges.push({ from: value, to: value });
  }
  ranges.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to > b.to ? -1 : 1));
  const kept: { from: bigint; to: bigint }[] = [];
  for (const range of ranges) {
    const last = kept.at(-1);
    if (!last || range.from > last.to) kept.push(range);
  }
  return kept.map(({ from, to }) => ({ from: bytesOfNumber(from, family), to: bytesOfNumber(to, family) }));
}
