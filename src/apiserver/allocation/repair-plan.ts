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

export interface Claim {
  readonly address: string;
  readonly service: Service;
  /** The claim there is, which says something else; it goes in the same commit. */
  readonly instead?: IPAddress;
}

export interface RepairPlan {
  readonly claim: readonly Claim[];
  /** Claims nobody holds. */
  readonly release: readonly IPAddress[];
  readonly complaints: readonly Complaint[];
}

/** A claim younger than this may belong to a Service that is just being written, milliseconds. */
const GRACE = 60_000;
const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const FAMILY = 'ipaddress.kubernetes.io/ip-family';
const ALLOCATOR = 'ipallocator.k8s.io';

export function planRepair(state: RepairState): RepairPlan {
  const claim: Claim[] = [];
  const complaints: Complaint[] = [];
  const byAddress = new Map(state.addresses.map((each) => [each.metadata.name, each]));
  const byName = new Map(state.services.map((each) => [nameOf(each), each]));
  for (const service of state.services) {
    for (const text of clusterIpsOf(service)) {
      const { complaint, repair } = checkAddress(service, text, state.ranges, byAddress, byName);
      if (complaint) complaints.push(complaint);
      if (repair) claim.push(repair);
    }
  }
  const claimed = new Set(claim.map(({ address }) => address));
  const release: IPAddress[] = [];
  for (const each of state.addresses) {
    const complaint = claimed.has(each.metadata.name) ? undefined : checkClaim(each, byName, state.now);
    if (!complaint) continue;
    release.push(each);
    complaints.push(complaint);
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

const isOfService = ({ spec }: IPAddress): boolean =>
  (spec.parentRef.group ?? '') === '' && spec.parentRef.resource === 'services';

const holds = (service: Service | undefined, address: string): boolean =>
  service !== undefined &&
  clusterIpsOf(service).some((text) => {
    const ip = parseIp(text);
    return ip !== undefined && formatIp(ip) === address;
  });

/** Whether the claim says what the Service does; the words are Kubernetes' own. */
function checkAddress(
  service: Service,
  text: string,
  ranges: readonly Cidr[],
  byAddress: ReadonlyMap<string, IPAddress>,
  byName: ReadonlyMap<string, Service>,
): { complaint?: Complaint; repair?: Claim } {
  const complain = (reason: string, message: string) => ({ complaint: { object: service, reason, message } });
  const ip = parseIp(text);
  if (!ip) return complain('ClusterIPNotValid', `Cluster IP ${text} is not a valid IP; please recreate Service`);
  const address = formatIp(ip);
  const what = `[${ip.family}]: ${address}`;
  if (!ranges.some((range) => cidrContains(range, ip))) {
    return complain(
      'ClusterIPOutOfRange',
      `Cluster IP ${what} is not within any configured Service CIDR; please recreate service`,
    );
  }
  const claim = byAddress.get(address);
  if (!claim) {
    const message = `Cluster IP ${what} is not allocated; repairing`;
    return { ...complain('ClusterIPNotAllocated', message), repair: { address, service } };
  }
  const repair = { address, service, instead: claim };
  if (!isOfService(claim) || (parentOf(claim) !== nameOf(service) && !holds(byName.get(parentOf(claim)), address))) {
    const message = `the ClusterIP ${what} for Service ${nameOf(service)} has a wrong reference; repairing`;
    return { ...complain('ClusterIPNotAllocated', message), repair };
  }
  if (parentOf(claim) !== nameOf(service)) {
    return complain(
      'ClusterIPAlreadyAllocated',
      `Cluster IP [${ip.family}]:${address} was assigned to multiple services; please recreate service`,
    );
  }
  const { labels } = claim.metadata;
  return labels?.[MANAGED_BY] === ALLOCATOR && labels[FAMILY] === ip.family ? {} : { repair };
}

/** Why a claim goes. Claims made by hand are left alone (feature 1-130). */
function checkClaim(claim: IPAddress, byName: ReadonlyMap<string, Service>, now: number): Complaint | undefined {
  const { name, labels, creationTimestamp } = claim.metadata;
  if (labels?.[MANAGED_BY] !== ALLOCATOR) return undefined;
  const complain = (reason: string, message: string): Complaint => ({ object: claim, reason, message });
  if (!isOfService(claim)) {
    const { group = '', resource, namespace = '', name: parent } = claim.spec.parentRef;
    const reference = `&ParentReference{Group:${group},Resource:${resource},Namespace:${namespace},Name:${parent},}`;
    return complain(
      'IPAddressNotAllocated',
      `IPAddress ${name} appears to have been modified, not referencing a Service ${reference}: cleaning up`,
    );
  }
  const service = byName.get(parentOf(claim));
  if (holds(service, name)) return undefined;
  const what = `IPAddress: ${name} for Service ${parentOf(claim)}`;
  if (service) return complain('IPAddressWrongReference', `${what} has a wrong reference; cleaning up`);
  if (now - Date.parse(creationTimestamp ?? '') <= GRACE) return undefined;
  return complain('IPAddressNotAllocated', `${what} appears to have leaked: cleaning up`);
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
