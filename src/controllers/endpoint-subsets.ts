/** The subsets of an Endpoints object: packing, order, truncation and comparison (features 2-015 to 2-025). All pure. */
import { isPodReady } from '../api/pods.ts';
import type { Core, Pod, Service } from '../api/types.ts';
import { sortByIp } from './ip-order.ts';
import { isTerminating } from './pod-state.ts';
import {
  endpointHostname,
  endpointPods,
  podAddress,
  podReference,
  resolvePorts,
  type ResolvedPort,
} from './service-pods.ts';

/** Addresses one Endpoints object may hold (2-023). */
export const MAX_ADDRESSES = 1000;

type Subset = Core.EndpointSubset;
type Address = Core.EndpointAddress;

/** One address on one port. Without a port: a headless Service that names none (2-016). */
interface Member {
  readonly address: Address;
  readonly ready: boolean;
  readonly port: ResolvedPort | undefined;
}

/** The subsets a Service wants for these Pods, untruncated. */
export function planSubsets(service: Service, pods: readonly Pod[]): Subset[] {
  const publishAll = service.spec.publishNotReadyAddresses ?? false;
  const family = service.spec.ipFamilies?.[0];
  const members: Member[] = [];
  for (const pod of endpointPods(pods)) {
    if (isTerminating(pod) && !publishAll) continue;
    const ip = podAddress(pod, family === 'IPv4' || family === 'IPv6' ? family : undefined);
    if (ip === undefined) continue;
    const hostname = endpointHostname(pod, service);
    const address: Address = {
      ip,
      ...(hostname !== undefined && { hostname }),
      ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
      targetRef: podReference(pod),
    };
    const ready = publishAll || isPodReady(pod);
    const portless = (service.spec.ports ?? []).length === 0;
    const ports = portless ? [undefined] : resolvePorts(service, pod);
    for (const port of ports) members.push({ address, ready, port });
  }
  return repack(members);
}

/** One subset per distinct set of (address, ready); ports with equal sets share it (2-022). */
function repack(members: readonly Member[]): Subset[] {
  const byPort = new Map<string, { port: ResolvedPort | undefined; members: Map<string, Member> }>();
  for (const member of members) {
    const key = JSON.stringify(member.port ?? null);
    const entry = byPort.get(key) ?? { port: member.port, members: new Map<string, Member>() };
    byPort.set(key, entry);
    entry.members.set(addressKey(member.address), member);
  }
  const bySet = new Map<string, { ports: ResolvedPort[]; members: Member[] }>();
  for (const { port, members: all } of byPort.values()) {
    const sorted = sortByIp(
      [...all.values()],
      ({ address }) => address.ip,
      ({ address }) => address.targetRef?.uid ?? '',
    );
    const key = JSON.stringify(sorted.map(({ address, ready }) => [addressKey(address), ready]));
    const entry = bySet.get(key) ?? { ports: [], members: sorted };
    bySet.set(key, entry);
    if (port) entry.ports.push(port);
  }
  const packed = [...bySet.values()].map((entry) => ({ ...entry, ports: entry.ports.sort(comparePorts) }));
  packed.sort((a, b) => compareText(JSON.stringify(a.ports), JSON.stringify(b.ports)));
  return packed.map(({ ports, members: sorted }) => {
    const ready = sorted.filter((member) => member.ready).map(({ address }) => address);
    const notReady = sorted.filter((member) => !member.ready).map(({ address }) => address);
    return {
      ...(ready.length > 0 && { addresses: ready }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady }),
      ...(ports.length > 0 && { ports: ports.map(endpointPort) }),
    };
  });
}

const endpointPort = ({ name, ...rest }: ResolvedPort): Core.EndpointPort => ({
  ...(name !== '' && { name }),
  ...rest,
});

const addressKey = (address: Address) => `${address.ip} ${address.targetRef?.uid ?? ''}`;

function comparePorts(a: ResolvedPort, b: ResolvedPort): number {
  return compareText(a.name, b.name) || a.port - b.port || compareText(a.protocol, b.protocol);
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** At most `max` addresses: the ready ones first, each subset in proportion (2-023). */
export function truncateSubsets(
  subsets: readonly Subset[],
  max = MAX_ADDRESSES,
): { subsets: Subset[]; truncated: boolean } {
  const count = (field: 'addresses' | 'notReadyAddresses') =>
    subsets.reduce((sum, subset) => sum + (subset[field]?.length ?? 0), 0);
  const ready = count('addresses');
  const notReady = count('notReadyAddresses');
  if (ready + notReady <= max) return { subsets: [...subsets], truncated: false };
  const share = (total: number, room: number) => {
    let left = room;
    return (addresses: Address[] | undefined): Address[] => {
      const fair = total <= room ? (addresses?.length ?? 0) : Math.ceil(((addresses?.length ?? 0) / total) * room);
      const kept = (addresses ?? []).slice(0, Math.min(fair, left));
      left -= kept.length;
      return kept;
    };
  };
  const takeReady = share(ready, max);
  const takeNotReady = share(notReady, Math.max(0, max - ready));
  const cut = subsets.map(({ ports, ...subset }) => {
    const addresses = takeReady(subset.addresses);
    const notReadyAddresses = takeNotReady(subset.notReadyAddresses);
    return {
      ...(addresses.length > 0 && { addresses }),
      ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
      ...(ports && { ports }),
    };
  });
  return { subsets: cut.filter((subset) => subset.addresses ?? subset.notReadyAddresses), truncated: true };
}

/** Equal but for the version of the Pods they point to (2-025). */
export function sameSubsets(a: readonly Subset[] | undefined, b: readonly Subset[] | undefined): boolean {
  return canonical(a) === canonical(b);
}

function canonical(subsets: readonly Subset[] | undefined): string {
  const address = ({ ip, hostname, nodeName, targetRef }: Address) => [
    ip,
    hostname ?? '',
    nodeName ?? '',
    targetRef ? [targetRef.kind, targetRef.namespace, targetRef.name, targetRef.uid] : [],
  ];
  return JSON.stringify(
    (subsets ?? []).map(({ addresses, notReadyAddresses, ports }) => [
      (addresses ?? []).map(address),
      (notReadyAddresses ?? []).map(address),
      (ports ?? []).map((port) => [port.name ?? '', port.port, port.protocol ?? 'TCP', port.appProtocol ?? '']),
    ]),
  );
}
