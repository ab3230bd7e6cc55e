/**
 * Node ports on loopback where no rule takes them there (trap T27): a relay listens on 127.0.0.1 and ::1 and connects to an endpoint
 * from the node. What it listens on follows from the Plan alone; the relay itself is in `userspace/`.
 */
import { joinHostPort } from '../lib/ip.ts';
import type { Packet } from './plan/packet.ts';
import type { Endpoint, Plan, Protocol, ServicePort } from './plan/types.ts';
import type { TraceOutcome } from './trace-outcome.ts';

export interface LoopbackRelay {
  readonly service: ServicePort;
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Node and Pods take the Cluster pool whatever the policy (3-069). Empty: nothing listens, so the kernel refuses. */
  readonly endpoints: readonly Endpoint[];
}

export function loopbackRelays(plan: Plan): readonly LoopbackRelay[] {
  if (plan.localhostNodePorts !== 'relay') return [];
  const address = plan.options.family === 'IPv6' ? '::1' : '127.0.0.1';
  const taken = new Set<string>();
  return plan.servicePorts.flatMap((service) => {
    const { nodePort, protocol } = service;
    // Node has no sockets for SCTP
    if (nodePort === undefined || protocol === 'SCTP') return [];
    const key = `${protocol} ${String(nodePort)}`;
    if (taken.has(key)) return [];
    taken.add(key);
    return [{ service, address, port: nodePort, protocol, endpoints: service.clusterEndpoints }];
  });
}

/** Where a packet to a relayed node port goes; undefined for any other packet. */
export function traceRelay(plan: Plan, packet: Packet): readonly TraceOutcome[] | undefined {
  if (!packet.fromNode) return undefined;
  const relay = loopbackRelays(plan).find(
    (one) => one.address === packet.destination && one.port === packet.port && one.protocol === packet.protocol,
  );
  if (!relay) return undefined;
  const { service, endpoints } = relay;
  const rule = `listens on ${joinHostPort(relay.address, relay.port)}/${relay.protocol} for ${service.name}`;
  const steps = [{ table: 'relay', chain: 'loopback', rule }];
  const end = { masquerade: true, steps };
  if (endpoints.length === 0)
    return [{ ...end, verdict: 'REJECT', destination: joinHostPort(relay.address, relay.port), share: 1 }];
  const known =
    service.affinitySeconds === undefined ? [] : endpoints.filter((one) => one.address === packet.remembered);
  const pool = known.length > 0 ? known : endpoints;
  return pool.map((one) => ({ ...end, verdict: 'forward', destination: one.address, share: 1 / pool.length }));
}
