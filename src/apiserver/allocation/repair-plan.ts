/**
 * What is wrong between Services, the IPAddress objects that claim their cluster IPs, and node ports (features 1-128 to 1-131).
 * The server writes a Service and its claims in one commit, so only hands in the store or deleted claims get them apart. Pure.
 */
import { isHeadless, needsClusterIp } from '../../api/service-changes.ts';
import type { IPAddress, KubeObject, Service } from '../../api/types.ts';
import { cidrContains, type Cidr } from '../../lib/cidr.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import { nodePortsOf, type PortRange } from './node-ports.ts';

export interface RepairState {
  readonly services: readonly Service[];
  readonly addresses: readonly IPAddress[];
  /** Ranges cluster IPs may come from. */
  readonly ranges: readonly Cidr[];
  readonly portRange: PortRange;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Complaint {
  readonly object: KubeObject;
  readonly reason: string;
  readonly message: string;
}

export interface RepairPlan {
  readonly claim: readonly { readonly address: string; readonly service: Service }[];
  /** Claims nobody holds. */
  readonly release: readonly IPAddress[];
  readonly complaints: readonly Complaint[];
}

/** A claim younger than this may belong to a Service that is just being written, milliseconds. */
const GRACE = 60_000;
const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const ALLOCATOR = 'ipallocator.k8s.io';

export function planRepair(state: RepairState): RepairPlan {
  const claim: { address: string; service: Service }[] = [];
  const complaints: Complaint[] = [];
  const byName = new Map(state.addresses.map((each) => [each.metadata.name, each]));
  const held = new Map<string, string>();
  for (const service of state.services) {
    for (const text of clusterIpsOf(service)) {
      const problem = checkAddress(service, text, state.ranges, byName, held);
      if (problem) complaints.push(problem);
      if (problem?.reason === 'ClusterIPNotAllocated') claim.push({ address: text, service });
    }
  }
  const release = state.addresses.filter((each) => isOrphan(each, held, state.now));
  for (const each of release) {
    const message = `IPAddress: ${each.metadata.name} for Service ${parentOf(each)} appears to have leaked: cleaning up`;
    complaints.push({ object: each, reason: 'IPAddressNotAllocated', message });
  }
  return { claim, release, complaints: [...complaints, ...checkPorts(state)] };
}

function clusterIpsOf(service: Service): string[] {
  if (!needsClusterIp(service) || isHeadless(service)) return [];
  return (service.spec.clusterIPs ?? []).filter((each) => each !== '');
}

const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

function parentOf({ spec }: IPAddress): string {
  return `${spec.parentRef.namespace ?? ''}/${spec.parentRef.name}`;
}

/** `held` collects who holds which address. */
function checkAddress(
  service: Service,
  text: string,
  ranges: readonly Cidr[],
  byName: ReadonlyMap<string, IPAddress>,
  held: Map<string, string>,
): Complaint | undefined {
  const complain = (reason: string, message: string): Complaint => ({ object: service, reason, message });
  const ip = parseIp(text);
  if (!ip) return complain('ClusterIPNotValid', `Cluster IP ${text} is not a valid IP; please recreate Service`);
  const address = formatIp(ip);
  const owner = held.get(address);
  if (owner !== undefined) {
    return complain(
      'ClusterIPAlreadyAllocated',
      `Cluster IP ${address} was assigned to ${owner} as well; please recreate Service`,
    );
  }
  held.set(address, nameOf(service));
  const claim = byName.get(address);
  if (!ranges.some((range) => range.family === ip.family && cidrContains(range, ip))) {
    return complain(
      'ClusterIPOutOfRange',
      `Cluster IP ${address} is not within any configured Service CIDR; please recreate service`,
    );
  }
  if (!claim) return complain('ClusterIPNotAllocated', `Cluster IP ${address} is not allocated; repairing`);
  if (parentOf(claim) === nameOf(service)) return undefined;
  return complain(
    'ClusterIPAlreadyAllocated',
    `Cluster IP ${address} was assigned to ${parentOf(claim)}; please recreate Service`,
  );
}

/** Claims made by hand are left alone (feature 1-130). */
function isOrphan({ metadata }: IPAddress, held: ReadonlyMap<string, string>, now: number): boolean {
  if (metadata.labels?.[MANAGED_BY] !== ALLOCATOR || held.has(metadata.name)) return false;
  return now - Date.parse(metadata.creationTimestamp ?? '') > GRACE;
}

function checkPorts({ services, portRange }: RepairState): Complaint[] {
  const owners = new Map<number, Service>();
  return services.flatMap((service) =>
    [...nodePortsOf(service)].flatMap((port): Complaint[] => {
      const owner = owners.get(port);
      owners.set(port, owner ?? service);
      const text = String(port);
      if (port < portRange.first || port > portRange.last) {
        return [
          {
            object: service,
            reason: 'PortOutOfRange',
            message: `Port ${text} is not within the port range ${String(portRange.first)}-${String(portRange.last)}; please recreate service`,
          },
        ];
      }
      if (!owner) return [];
      return [
        {
          object: service,
          reason: 'PortAlreadyAllocated',
          message: `Port ${text} was assigned to ${nameOf(owner)} as well; please recreate service`,
        },
      ];
    }),
  );
}
