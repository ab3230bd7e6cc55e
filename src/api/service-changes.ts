/**
 * What an update of a Service means before anything is allocated: fields its new type has no use for are dropped, values the server
 * once allocated are kept where the client left them out (features 1-022 to 1-029, 1-035, 1-041, 1-063).
 */
import { familyOf } from '../lib/ip.ts';
import { deepEqual } from './deep-equal.ts';
import { isExternallyAccessible } from './defaults/service.ts';
import type { Service } from './types.ts';

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
export const needsClusterIp = ({ spec }: Service): boolean => spec.type !== 'ExternalName';
export const needsNodePorts = ({ spec }: Service): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';
export const needsHealthCheckNodePort = ({ spec }: Service): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

export function prepareServiceForCreate(service: Service): void {
  const { spec } = service;
  if (spec.clusterIP && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [spec.clusterIP];
}

export function prepareServiceForUpdate(service: Service, old: Service): void {
  dropTypeDependentFields(service, old);
  keepAllocatedValues(service, old);
  alignClusterIps(service, old);
  keepFamilies(service, old);
  if (service.spec.type !== 'LoadBalancer') service.status = { ...service.status, loadBalancer: {} };
}

/** A field goes when the old type needed it, the new one does not, and the client did not touch it; a touched one is left to validation. */
function dropTypeDependentFields(service: Service, old: Service): void {
  const { spec } = service;
  const unchanged = (field: keyof Service['spec']): boolean => deepEqual(spec[field], old.spec[field]);
  const lost = (needs: (each: Service) => boolean): boolean => needs(old) && !needs(service);

  if (lost(needsClusterIp)) {
    if (unchanged('clusterIP') && unchanged('clusterIPs')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (unchanged('ipFamilies')) delete spec.ipFamilies;
    if (unchanged('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  if (lost(needsNodePorts) && addsNoNodePorts(service, old)) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (lost(needsHealthCheckNodePort) && unchanged('healthCheckNodePort')) delete spec.healthCheckNodePort;
  if (lost((each) => each.spec.type === 'LoadBalancer')) {
    if (unchanged('allocateLoadBalancerNodePorts')) delete spec.allocateLoadBalancerNodePorts;
    if (unchanged('loadBalancerClass')) delete spec.loadBalancerClass;
  }
  if (lost(isExternallyAccessible) && unchanged('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
}

function nodePortsOf({ spec }: Service): Set<number> {
  return new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port !== 0));
}

/** Ports may go and lose their numbers, as long as no number is new. */
function addsNoNodePorts(service: Service, old: Service): boolean {
  const before = nodePortsOf(old);
  return [...nodePortsOf(service)].every((port) => before.has(port));
}

function keepAllocatedValues(service: Service, old: Service): void {
  const { spec } = service;
  if (needsClusterIp(old) && needsClusterIp(service)) {
    spec.clusterIP ||= old.spec.clusterIP;
    if (spec.clusterIP === old.spec.clusterIP && (spec.clusterIPs ?? []).length === 0 && old.spec.clusterIPs) {
      spec.clusterIPs = [...old.spec.clusterIPs];
    }
  }
  if (needsNodePorts(old) && needsNodePorts(service)) keepNodePorts(service, old);
  if (needsHealthCheckNodePort(old) && needsHealthCheckNodePort(service)) {
    spec.healthCheckNodePort ||= old.spec.healthCheckNodePort;
  }
}

/** By port name. A number the new object itself names is not given to another port; two ports that shared one go on sharing it (1-065). */
function keepNodePorts(service: Service, old: Service): void {
  const before = nodePortsOf(old);
  const taken = new Set([...nodePortsOf(service)].filter((port) => before.has(port)));
  const byName = new Map((old.spec.ports ?? []).map((port) => [port.name ?? '', port.nodePort]));
  for (const port of service.spec.ports ?? []) {
    if (port.nodePort) continue;
    const known = byName.get(port.name ?? '');
    if (known && !taken.has(known)) port.nodePort = known;
  }
}

/** `clusterIP` and `clusterIPs[0]` are one value under two names; a client that changed only one of them meant both. */
function alignClusterIps(service: Service, old: Service): void {
  const { spec } = service;
  const listUnchanged = deepEqual(spec.clusterIPs ?? [], old.spec.clusterIPs ?? []);
  if (!spec.clusterIP) {
    if (old.spec.clusterIP && listUnchanged) delete spec.clusterIPs;
  } else if ((spec.clusterIPs ?? []).length === 0) {
    spec.clusterIPs = [spec.clusterIP];
  } else if (spec.clusterIP !== old.spec.clusterIP && listUnchanged) {
    spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
  }
}

/** A client that leaves the families out keeps what the addresses say. */
function keepFamilies(service: Service, old: Service): void {
  const { spec } = service;
  if (!needsClusterIp(service) || !needsClusterIp(old)) return;
  if (old.spec.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy ??= old.spec.ipFamilyPolicy;
  if ((spec.ipFamilies ?? []).length > 0) return;
  const fromAddresses = (spec.clusterIPs ?? []).map(familyOf).filter((family) => family !== undefined);
  const families = fromAddresses.length > 0 ? fromAddresses : old.spec.ipFamilies;
  if (families) spec.ipFamilies = [...families];
}
