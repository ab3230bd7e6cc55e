/** The ipsets of ipvs mode: names people grep for, their kinds, and how elements are spelled (3-116). */
import type { Family } from '../../lib/ip.ts';

/**
 * All but the last two are kube-proxy's. EXTERNAL-LOCAL: external addresses under policy Local, where Pods and the node itself take
 * the Cluster pool. NO-LOCAL: addresses whose policy is Local and that have no endpoint on this node.
 */
export const SET_TYPES = {
  'LOOP-BACK': 'hash:ip,port,ip',
  'CLUSTER-IP': 'hash:ip,port',
  'EXTERNAL-IP': 'hash:ip,port',
  'EXTERNAL-IP-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER': 'hash:ip,port',
  'LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER-FW': 'hash:ip,port',
  'LOAD-BALANCER-SOURCE-IP': 'hash:ip,port,ip',
  'LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'NODE-PORT-TCP': 'bitmap:port',
  'NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'NODE-PORT-UDP': 'bitmap:port',
  'NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'HEALTH-CHECK-NODE-PORT': 'bitmap:port',
  'IPVS-IPS': 'hash:ip',
  'EXTERNAL-LOCAL': 'hash:ip,port',
  'NO-LOCAL': 'hash:ip,port',
} as const;

export type SetId = keyof typeof SET_TYPES;

export const SET_IDS = Object.keys(SET_TYPES) as SetId[];

/** The kernel takes 31 characters; one IPv6 name has 32 and loses its last, as kube-proxy's does. */
export function setName(id: SetId, family: Family): string {
  return `KUBE-${family === 'IPv6' ? '6-' : ''}${id}`.slice(0, 31);
}

const idsByName = (family: Family): ReadonlyMap<string, SetId> =>
  new Map(SET_IDS.map((id) => [setName(id, family), id]));
const IDS = { IPv4: idsByName('IPv4'), IPv6: idsByName('IPv6') };

/** undefined: not ours. */
export function setIdOf(name: string, family: Family): SetId | undefined {
  return IDS[family].get(name);
}

/** Input for `ipset restore` that makes the set. The largest size is a bound, not a cost. */
export function createSetLine(id: SetId, family: Family): string {
  const type = SET_TYPES[id];
  const options =
    type === 'bitmap:port'
      ? 'range 0-65535'
      : `family ${family === 'IPv6' ? 'inet6' : 'inet'} hashsize 1024 maxelem 1048576`;
  return `create ${setName(id, family)} ${type} ${options}`;
}

/** `10.96.0.20,tcp:80` */
export function ipPort(ip: string, protocol: string, port: number): string {
  return `${ip},${protocol.toLowerCase()}:${String(port)}`;
}

/** As `ipset save` spells a range: a single address has no length. */
export function range(cidr: string): string {
  return cidr.replace(cidr.includes(':') ? /\/128$/ : /\/32$/, '');
}
