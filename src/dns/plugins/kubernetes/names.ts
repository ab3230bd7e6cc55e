/** What a query name asks about, by the layout of names in the Kubernetes DNS specification 1.1.0 (features 4-001 to 4-018, 4-033). Pure. */
import type { Ip } from '../../../lib/ip.ts';
import { parseIp } from '../../../lib/ip.ts';
import { labelsOf } from '../../wire/domain-name.ts';
import type { Zone, Zones } from './zones.ts';

export type Target =
  /** Of no zone here: for others. */
  | { readonly about: 'outside' }
  /** In a zone, but not a name that could exist. */
  | { readonly about: 'nothing' }
  | { readonly about: 'zone' }
  /** `svc.<zone>`, `pod.<zone>`, `dns.<zone>`: nothing but names below. */
  | { readonly about: 'branch' }
  | { readonly about: 'version' }
  | { readonly about: 'nameserver' }
  | { readonly about: 'namespace'; readonly namespace: string; readonly tree: 'svc' | 'pod' }
  | ServiceTarget
  | { readonly about: 'pod'; readonly namespace: string; readonly ip: Ip }
  | { readonly about: 'address'; readonly ip: Ip };

/** Names at and below `<service>.<namespace>.svc.<zone>`. All lower case. */
export type ServiceTarget = { readonly namespace: string; readonly service: string } & (
  | { readonly about: 'service' }
  | { readonly about: 'port'; readonly port: string; readonly protocol: string }
  /** `_tcp.web…`: nothing but ports below. */
  | { readonly about: 'protocol'; readonly protocol: string }
  /** `cluster` in clusterset zones only (feature 4-040). */
  | { readonly about: 'endpoint'; readonly hostname: string; readonly cluster?: string }
  /** `<cluster>.<service>…` in clusterset zones: nothing but endpoints below. */
  | { readonly about: 'cluster'; readonly cluster: string }
  /** Endpoints of one topology zone (feature 4-041); without a zone: nothing but zones below. */
  | { readonly about: 'zonal'; readonly prefer: boolean; readonly topologyZone?: string }
);

export interface ParsedName {
  readonly target: Target;
  /** Absent for `outside`. */
  readonly zone?: Zone;
}

const OUTSIDE: ParsedName = { target: { about: 'outside' } };
const NOTHING: Target = { about: 'nothing' };

/**
 * @param name a query name, any case
 * @param zonal whether names of topology zones are served
 */
export function parseName(name: string, zones: Zones, zonal = false): ParsedName {
  const labels = labelsOf(name.toLowerCase());
  const zone = zones.find(labels);
  if (!zone) return OUTSIDE;
  if (zone.kind === 'reverse') return { zone, target: parseReverse(labels, zone) };
  return { zone, target: parseInside(labels.slice(0, labels.length - zone.labels.length), zone, zonal) };
}

function parseInside(labels: readonly string[], zone: Zone, zonal: boolean): Target {
  const [tree, namespace, service, ...rest] = [...labels].reverse();
  if (tree === undefined) return { about: 'zone' };
  if (tree === 'dns-version') return namespace === undefined ? { about: 'version' } : NOTHING;
  if (tree === 'dns') return namespace === undefined ? { about: 'branch' } : nameserver(namespace, service);
  if (tree !== 'svc' && tree !== 'pod') return NOTHING;
  if (namespace === undefined) return { about: 'branch' };
  if (service === undefined) return { about: 'namespace', namespace, tree };
  if (tree === 'pod') return rest.length === 0 ? parsePod(namespace, service) : NOTHING;
  return parseBelow({ namespace, service }, rest, zone, zonal) ?? NOTHING;
}

const nameserver = (name: string, below: string | undefined): Target =>
  name === 'ns' && below === undefined ? { about: 'nameserver' } : NOTHING;

/** @param rest labels left of the Service's, nearest first */
function parseBelow(
  of: { readonly namespace: string; readonly service: string },
  rest: readonly string[],
  { kind }: Zone,
  zonal: boolean,
): ServiceTarget | undefined {
  const [first, second, ...more] = rest;
  if (first === undefined) return { ...of, about: 'service' };
  if (zonal && kind === 'cluster' && first === '_zone') return parseZonal(of, second, more);
  if (more.length > 0) return undefined;
  if (first.startsWith('_')) {
    const protocol = first.slice(1);
    if (second === undefined) return { ...of, about: 'protocol', protocol };
    return second.startsWith('_') ? { ...of, about: 'port', port: second.slice(1), protocol } : undefined;
  }
  if (kind !== 'clusterset') return second === undefined ? { ...of, about: 'endpoint', hostname: first } : undefined;
  return second === undefined
    ? { ...of, about: 'cluster', cluster: first }
    : { ...of, about: 'endpoint', hostname: second, cluster: first };
}

/** `<zone>.pin._zone.…` and `<zone>.prefer._zone.…`. A zone may have dots. */
function parseZonal(
  of: { readonly namespace: string; readonly service: string },
  directive: string | undefined,
  zone: readonly string[],
): ServiceTarget | undefined {
  if (directive !== undefined && directive !== 'pin' && directive !== 'prefer') return undefined;
  const topologyZone = [...zone].reverse().join('.');
  return { ...of, about: 'zonal', prefer: directive === 'prefer', ...(topologyZone !== '' && { topologyZone }) };
}

/** `10-1-2-3` or an IPv6 address with dashes for colons. */
function parsePod(namespace: string, dashed: string): Target {
  const ip = parseIp(dashed.replaceAll('-', '.')) ?? parseIp(dashed.replaceAll('-', ':'));
  return ip ? { about: 'pod', namespace, ip } : NOTHING;
}

/** A whole address below in-addr.arpa or ip6.arpa; what is in the middle may be others' and is nothing here. */
function parseReverse(labels: readonly string[], zone: Zone): Target {
  if (labels.length === zone.labels.length) return { about: 'zone' };
  const [, kind, ...parts] = [...labels].reverse();
  if (kind === 'in-addr' && parts.length === 4) {
    const ip = parseIp(parts.join('.'));
    return ip ? { about: 'address', ip } : NOTHING;
  }
  if (kind === 'ip6' && parts.length === 32 && parts.every((nibble) => /^[0-9a-f]$/.test(nibble))) {
    return { about: 'address', ip: { family: 'IPv6', value: BigInt(`0x${parts.join('')}`) } };
  }
  return NOTHING;
}
