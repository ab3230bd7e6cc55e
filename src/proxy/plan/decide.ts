/**
 * The oracle: what must become of a packet, straight from the Plan, in code plain enough to be checked by reading.
 * Every backend's tracer must agree with it, and every kernel.
 */
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import type { Packet } from './packet.ts';
import type { Endpoint, Plan, ServicePort } from './types.ts';

export type Decision =
  /** One of these, at random; `masquerade` says whether that endpoint sees the node's address instead of the client's. */
  | {
      readonly verdict: 'endpoints';
      readonly endpoints: readonly { readonly address: string; readonly masquerade: boolean }[];
    }
  | { readonly verdict: 'REJECT' | 'DROP' }
  /** No Service's address: the packet goes on as it is. */
  | { readonly verdict: 'pass' };

export function decide(plan: Plan, packet: Packet): Decision {
  for (const service of plan.servicePorts) {
    if (service.protocol !== packet.protocol) continue;
    if (packet.destination === service.clusterIP && packet.port === service.port)
      return internal(plan, service, packet);
    const isExternalIP = service.externalIPs.includes(packet.destination) && packet.port === service.port;
    if (isExternalIP) return external(plan, service, packet);
    if (service.loadBalancerIPs.includes(packet.destination) && packet.port === service.port) {
      return mayUseLoadBalancer(service, packet) ? external(plan, service, packet) : { verdict: 'DROP' };
    }
  }
  const byNodePort = plan.servicePorts.find(
    (one) => one.nodePort !== undefined && one.nodePort === packet.port && one.protocol === packet.protocol,
  );
  if (byNodePort && isNodePortAddress(plan, packet)) return external(plan, byNodePort, packet);
  return plan.options.guardClusterIPs ? guard(plan, packet) : { verdict: 'pass' };
}

/** What is addressed to a cluster IP, or to where cluster IPs come from, and is no Service's (3-089). */
function guard(plan: Plan, packet: Packet): Decision {
  const isIts = ({ clusterIP, externalIPs, loadBalancerIPs }: ServicePort) =>
    clusterIP === packet.destination ||
    (plan.options.bindsAddresses && [...externalIPs, ...loadBalancerIPs].includes(packet.destination));
  if (plan.servicePorts.some(isIts) && !isLocalAddress(plan, packet.destination)) return { verdict: 'REJECT' };
  const isUnallocated = plan.options.serviceCIDRs.some((range) => contains(range, packet.destination));
  return { verdict: isUnallocated ? 'DROP' : 'pass' };
}

function internal(plan: Plan, service: ServicePort, packet: Packet): Decision {
  const { internalRoute } = service;
  if (internalRoute === 'REJECT' || internalRoute === 'DROP') return { verdict: internalRoute };
  const pool = internalRoute === 'Cluster' ? service.clusterEndpoints : service.localEndpoints;
  const { masqueradeAll, detectLocal } = plan.options;
  const isForeign = detectLocal.by !== 'nothing' && !isFromPod(plan, packet);
  return send(plan, service, pool, packet, masqueradeAll || isForeign);
}

function external(plan: Plan, service: ServicePort, packet: Packet): Decision {
  if (service.externalRoute === 'REJECT') return { verdict: 'REJECT' };
  if (service.externalPolicy === 'Cluster') return send(plan, service, service.clusterEndpoints, packet, true);
  // 3-069: Pods and the node itself are inside the cluster already, so for them Local means nothing
  if (isFromPod(plan, packet)) return send(plan, service, service.clusterEndpoints, packet, false);
  if (isLocalSource(plan, packet)) return send(plan, service, service.clusterEndpoints, packet, true);
  if (service.externalRoute === 'DROP') return { verdict: 'DROP' };
  return send(plan, service, service.localEndpoints, packet, false);
}

function send(
  plan: Plan,
  service: ServicePort,
  pool: readonly Endpoint[],
  packet: Packet,
  masquerade: boolean,
): Decision {
  const known = service.affinitySeconds === undefined ? [] : pool.filter((one) => one.address === packet.remembered);
  return {
    verdict: 'endpoints',
    endpoints: (known.length > 0 ? known : pool).map((one) => ({
      address: one.address,
      // An endpoint that reaches itself must be answered through the node, or it would see its own address (3-070).
      // What comes from elsewhere for a process of this node never leaves it, and nothing needs to bring the answer back.
      masquerade:
        plan.options.hidesClients ||
        isRelayed(plan, packet) ||
        ((masquerade || one.ip === packet.source) && (packet.fromNode || !isLocalAddress(plan, one.ip))),
    })),
  };
}

function mayUseLoadBalancer(service: ServicePort, packet: Packet): boolean {
  // without any endpoint the answer is REJECT for everybody: there is nothing to protect
  if (service.sourceRanges.length === 0 || service.externalRoute === 'REJECT') return true;
  if (service.nodeInSourceRanges && service.loadBalancerIPs.includes(packet.source)) return true;
  return service.sourceRanges.some((range) => contains(range, packet.source));
}

function isFromPod(plan: Plan, packet: Packet): boolean {
  const { detectLocal } = plan.options;
  if (detectLocal.by === 'clusterCIDR') return contains(detectLocal.cidr, packet.source);
  if (detectLocal.by === 'nothing' || packet.fromNode) return false;
  const { name, prefix } = detectLocal;
  return prefix ? (packet.interface ?? '').startsWith(name) : packet.interface === name;
}

function isLocalSource(plan: Plan, packet: Packet): boolean {
  return packet.fromNode || isLocalAddress(plan, packet.source);
}

function isLocalAddress(plan: Plan, address: string): boolean {
  return plan.node.ips.includes(address) || isLoopback(address);
}

const isLoopback = (address: string): boolean => address === '::1' || contains('127.0.0.0/8', address);

function isNodePortAddress(plan: Plan, packet: Packet): boolean {
  if (isLoopback(packet.destination)) {
    if (plan.localhostNodePorts === 'off') return false;
    if (plan.localhostNodePorts === 'relay') return isRelayed(plan, packet);
  }
  if (plan.nodePortIPs === 'all') return isLocalAddress(plan, packet.destination);
  return plan.nodePortIPs.includes(packet.destination);
}

/** A relay listens on the first loopback address alone, for the node alone (nobody else can reach it), and speaks no SCTP. */
function isRelayed(plan: Plan, { destination, fromNode, protocol }: Packet): boolean {
  const loopback = plan.options.family === 'IPv6' ? '::1' : '127.0.0.1';
  return plan.localhostNodePorts === 'relay' && destination === loopback && fromNode && protocol !== 'SCTP';
}

function contains(range: string, address: string): boolean {
  const cidr = parseCidr(range);
  const ip = parseIp(address);
  return cidr !== undefined && ip !== undefined && cidrContains(cidr, ip);
}
