/**
 * What is wrong with external IPs, which nobody shares out: two Services that claim one, and addresses that belong to something else.
 * The API takes them, as Kubernetes does; so people are told by an event. Pure.
 */
import { isHeadless } from '../../api/service-changes.ts';
import type { Node, Service } from '../../api/types.ts';
import { cidrContains, formatCidr, type Cidr } from '../../lib/cidr.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Complaint } from './repair-plan.ts';

export interface ExternalIpState {
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  /** Ranges cluster IPs come from. */
  readonly ranges: readonly Cidr[];
}

export function checkExternalIps({ services, nodes, ranges }: ExternalIpState): Complaint[] {
  const using = services.filter((each) => (each.spec.externalIPs ?? []).length > 0 && isProxied(each)).sort(olderFirst);
  if (using.length === 0) return [];
  const nodeOf = new Map(nodes.flatMap((node) => addressesOf(node).map((ip) => [ip, node.metadata.name] as const)));
  const claims = new Map<string, Service>();
  return using.flatMap((service) =>
    canonical(service.spec.externalIPs ?? []).flatMap((address) => [
      ...sharedPorts(service, address, claims),
      ...foreignAddress(service, address, nodeOf, ranges),
    ]),
  );
}

const isProxied = (service: Service): boolean => service.spec.type !== 'ExternalName' && !isHeadless(service);

/** The proxies of the nodes serve the older one, too. */
function olderFirst({ metadata: a }: Service, { metadata: b }: Service): number {
  const order = (a.creationTimestamp ?? '').localeCompare(b.creationTimestamp ?? '');
  return order !== 0 ? order : nameOf({ metadata: a }).localeCompare(nameOf({ metadata: b }));
}

const nameOf = ({ metadata }: Pick<Service, 'metadata'>) => `${metadata.namespace ?? ''}/${metadata.name}`;

function canonical(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap((text) => parseIp(text) ?? []).map(formatIp))];
}

function addressesOf({ status }: Node): string[] {
  const ips = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP');
  return canonical(ips.map(({ address }) => address));
}

/** `claims` collects who was first. */
function sharedPorts(service: Service, address: string, claims: Map<string, Service>): Complaint[] {
  return (service.spec.ports ?? []).flatMap(({ port, protocol = 'TCP' }) => {
    const what = `${address} on port ${String(port)}/${protocol}`;
    const owner = claims.get(what);
    claims.set(what, owner ?? service);
    if (!owner || owner === service) return [];
    const message = `External IP ${what} is used by Service ${nameOf(owner)} already: only one of them is reached there`;
    return [{ object: service, reason: 'ExternalIPAlreadyUsed', message }];
  });
}

function foreignAddress(
  service: Service,
  address: string,
  nodeOf: ReadonlyMap<string, string>,
  ranges: readonly Cidr[],
): Complaint[] {
  const complain = (reason: string, message: string): Complaint[] => [{ object: service, reason, message }];
  const node = nodeOf.get(address);
  if (node !== undefined) {
    const why = 'the ports of this Service no longer lead to the node itself';
    return complain('ExternalIPIsNodeAddress', `External IP ${address} is the address of node ${node}: ${why}`);
  }
  const ip = parseIp(address);
  const range = ip && ranges.find((each) => cidrContains(each, ip));
  if (!range) return [];
  const why = 'a Service may get it as its cluster IP';
  return complain(
    'ExternalIPInServiceCIDR',
    `External IP ${address} is within the Service CIDR ${formatCidr(range)}: ${why}`,
  );
}
