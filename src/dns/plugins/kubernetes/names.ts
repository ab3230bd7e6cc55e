/** What a query name asks about, by the layout of names in the Kubernetes DNS specification 1.1.0 (features 4-001 to 4-018, 4-033). Pure. */
import type { Ip } from '../../../lib/ip.ts';
import { parseIp } from '../../../lib/ip.ts';
import { labelsOf } from '../../wire/domain-name.ts';

export type Target =
  /** Not of this cluster: for the upstreams. */
  | { readonly about: 'outside' }
  /** In the cluster's domain, but not a name that could exist. */
  | { readonly about: 'nothing' }
  | { readonly about: 'zone' }
  /** `svc.<zone>`, `pod.<zone>`, `dns.<zone>`: nothing but names below. */
  | { readonly about: 'branch' }
  | { readonly about: 'version' }
  | { readonly about: 'nameserver' }
  | { readonly about: 'namespace'; readonly namespace: string }
  | { readonly about: 'service'; readonly namespace: string; readonly service: string }
  | {
      readonly about: 'port';
      readonly namespace: string;
      readonly service: string;
      readonly port: string;
      /** Lower case. */
      readonly protocol: string;
    }
  | { readonly about: 'endpoint'; readonly namespace: string; readonly service: string; readonly hostname: string }
  | { readonly about: 'pod'; readonly namespace: string; readonly ip: Ip }
  | { readonly about: 'address'; readonly ip: Ip };

/**
 * @param name a query name, any case
 * @param zone the cluster domain, with or without the final dot
 */
export function parseName(name: string, zone: string): Target {
  const labels = labelsOf(name.toLowerCase());
  const zoneLabels = labelsOf(zone.toLowerCase());
  const inZone = zoneLabels.every((label, at) => labels[labels.length - zoneLabels.length + at] === label);
  if (!inZone || labels.length < zoneLabels.length) return parseReverse(labels);
  return parseInside(labels.slice(0, labels.length - zoneLabels.length));
}

function parseInside(labels: readonly string[]): Target {
  const [tree, namespace, service, ...rest] = [...labels].reverse();
  if (tree === undefined) return { about: 'zone' };
  if (tree === 'dns-version') return namespace === undefined ? { about: 'version' } : { about: 'nothing' };
  if (tree === 'dns') return namespace === undefined ? { about: 'branch' } : nameserver(namespace, service);
  if (tree !== 'svc' && tree !== 'pod') return { about: 'nothing' };
  if (namespace === undefined) return { about: 'branch' };
  if (service === undefined) return { about: 'namespace', namespace };
  if (tree === 'pod') return rest.length === 0 ? parsePod(namespace, service) : { about: 'nothing' };
  const [first, second, ...more] = rest;
  if (more.length > 0) return { about: 'nothing' };
  if (first === undefined) return { about: 'service', namespace, service };
  if (second === undefined) return { about: 'endpoint', namespace, service, hostname: first };
  if (!first.startsWith('_') || !second.startsWith('_')) return { about: 'nothing' };
  return { about: 'port', namespace, service, port: second.slice(1), protocol: first.slice(1) };
}

const nameserver = (name: string, below: string | undefined): Target =>
  name === 'ns' && below === undefined ? { about: 'nameserver' } : { about: 'nothing' };

/** `10-1-2-3` or an IPv6 address with dashes for colons. */
function parsePod(namespace: string, dashed: string): Target {
  const ip = parseIp(dashed.replaceAll('-', '.')) ?? parseIp(dashed.replaceAll('-', ':'));
  return ip ? { about: 'pod', namespace, ip } : { about: 'nothing' };
}

/** A whole address below in-addr.arpa or ip6.arpa; a part of one is not ours to answer. */
function parseReverse(labels: readonly string[]): Target {
  const [last, kind, ...parts] = [...labels].reverse();
  const outside: Target = { about: 'outside' };
  if (last !== 'arpa') return outside;
  if (kind === 'in-addr' && parts.length === 4) {
    const ip = parseIp(parts.join('.'));
    return ip ? { about: 'address', ip } : outside;
  }
  if (kind === 'ip6' && parts.length === 32 && parts.every((nibble) => /^[0-9a-f]$/.test(nibble))) {
    return { about: 'address', ip: { family: 'IPv6', value: BigInt(`0x${parts.join('')}`) } };
  }
  return outside;
}

/** How an endpoint without a hostname is called: its address with dashes (feature 4-013). */
export function dashedAddress(address: string): string {
  const dashed = address.replaceAll(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
