/** Which number a cluster gets on this host, and with it its LAN 172.30.NUMBER.0/24 and its link. Pure. */
import { parseCidr, type Cidr } from '../lib/cidr.ts';
import { fnv1a32 } from '../lib/hash.ts';
import { parseIp } from '../lib/ip.ts';

export interface HostLink {
  readonly name: string;
  /** Hardware address. */
  readonly mac: string;
  /** CIDR texts. */
  readonly addresses: readonly string[];
}

const COUNT = 256;

/** The hardware address of the host's end of a cluster's link: by it a link is known for ours. Locally administered (IEEE 802). */
export function linkMac(cluster: string): string {
  const digits = fnv1a32(cluster).toString(16).padStart(8, '0');
  return ['02', 'fa', ...(digits.match(/../g) ?? [])].join(':');
}

/** `preferred` if it is free, else the smallest that is; undefined when all are taken. A link of the cluster's own is no obstacle. */
export function chooseIndex(cluster: string, links: readonly HostLink[], preferred?: number): number | undefined {
  const foreign = links.filter(({ mac }) => mac !== linkMac(cluster));
  const isFree = (index: number) => {
    const range = parseCidr(`172.30.${String(index)}.0/24`);
    return (
      range !== undefined &&
      !foreign.some(
        ({ name, addresses }) => name === `fairway${String(index)}` || addresses.some((text) => overlaps(text, range)),
      )
    );
  };
  const candidates = [...(preferred === undefined ? [] : [preferred]), ...Array.from({ length: COUNT }, (_, i) => i)];
  return candidates.find(isFree);
}

/** `text` is an address with its prefix length, so bits behind the prefix may be set. */
function overlaps(text: string, range: Cidr): boolean {
  const [address = '', length = ''] = text.split('/');
  const ip = parseIp(address);
  if (ip?.family !== range.family) return false;
  const shift = BigInt(32 - Math.min(Number(length), range.bits));
  return ip.value >> shift === range.base >> shift;
}
