/**
 * The Plan: what Services mean on one node, for one address family, with every Kubernetes question already answered. A backend
 * spells a Plan in the words of its kernel mechanism and decides nothing. All of it is read-only and may be shared.
 */
import type { Family } from '../../lib/ip.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type TrafficPolicy = 'Cluster' | 'Local';

/** How a packet is known to come from a Pod: by its source, by the interface it came in on, or not at all (3-160, 3-162). */
export type LocalDetector =
  | { readonly by: 'clusterCIDR'; readonly cidr: string }
  | { readonly by: 'interface'; readonly name: string; readonly prefix: boolean }
  | { readonly by: 'nothing' };

/** The node the Plan is for. */
export interface PlanNode {
  readonly name: string;
  /** Addresses of the node itself, any family. What else is bound on it (a bridge, an alias) belongs here too. */
  readonly ips: readonly string[];
  /** Labels of the Node object: `topology.kubernetes.io/zone` selects by zone hints (3-019). */
  readonly labels: Readonly<Record<string, string>>;
}

export interface PlanOptions {
  readonly family: Family;
  readonly detectLocal: LocalDetector;
  readonly masqueradeAll: boolean;
  /** CIDRs of the node addresses that serve node ports; `primary` is the first node IP; empty is all (3-163). */
  readonly nodePortAddresses: readonly string[];
  /** Node ports answer on 127.0.0.1 and ::1 too: by rules (iptables, IPv4; 3-166), by a relay on loopback (trap T27), or not. */
  readonly localhostNodePorts: LocalhostNodePorts;
  /** 0-31: the packet mark that asks for masquerade (3-044). */
  readonly masqueradeBit: number;
  /** Drop what conntrack calls INVALID, unless the kernel is told to be liberal (3-042). */
  readonly dropInvalid: boolean;
  readonly allowExternalIPs: boolean;
  /** A port of a cluster IP that no Service has is refused, rather than left to the default route (3-089, trap T28). */
  readonly guardClusterIPs: boolean;
  /** External and load balancer IPs are bound on the node (3-111), so there too what no Service has is refused. */
  readonly bindsAddresses: boolean;
  /** CIDRs cluster IPs come from: with `guardClusterIPs`, an address in them that no Service has is dropped. Empty: not known. */
  readonly serviceCIDRs: readonly string[];
  /** LOW-HIGH, where node ports come from; undefined: not known. Tells flows of node ports gone from flows of others (trap T1). */
  readonly nodePortRange: string | undefined;
  /** Endpoints always see the node, never the client: connections end in a relay (3-127). */
  readonly hidesClients: boolean;
}

export type LocalhostNodePorts = 'rules' | 'relay' | 'off';

export const defaultPlanOptions: PlanOptions = {
  family: 'IPv4',
  detectLocal: { by: 'nothing' },
  masqueradeAll: false,
  nodePortAddresses: [],
  localhostNodePorts: 'rules',
  masqueradeBit: 14,
  dropInvalid: true,
  allowExternalIPs: true,
  guardClusterIPs: false,
  bindsAddresses: false,
  serviceCIDRs: [],
  nodePortRange: undefined,
  hidesClients: false,
};

/** One address and port traffic can be sent to. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  /** `ip:port`, IPv6 in brackets: the identity, and the order (3-010). */
  readonly address: string;
  /** On this node (3-009). */
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** Where traffic of one kind goes: to one of the two pools, or nowhere, loudly (3-023) or silently (3-024). */
export type Route = TrafficPolicy | 'REJECT' | 'DROP';

/** One port of one Service. */
export interface ServicePort {
  readonly namespace: string;
  readonly service: string;
  /** '' for the single unnamed port. */
  readonly portName: string;
  /** `namespace/service:port`. The colon stays when the port has no name: chain names are hashes of this text. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly clusterIP: string;
  readonly port: number;
  /** None of `loadBalancerIPs`. */
  readonly externalIPs: readonly string[];
  /** Those a proxy serves: of ipMode VIP (3-021). */
  readonly loadBalancerIPs: readonly string[];
  readonly nodePort: number | undefined;
  /** CIDRs that may use the load balancer IPs; empty is everybody (3-020). */
  readonly sourceRanges: readonly string[];
  /** The node itself is inside `sourceRanges`, so packets to a load balancer IP that carry it as source pass too (3-061). */
  readonly nodeInSourceRanges: boolean;
  /** Seconds a client stays with its endpoint; undefined without affinity. */
  readonly affinitySeconds: number | undefined;
  readonly healthCheckNodePort: number | undefined;
  readonly internalPolicy: TrafficPolicy;
  readonly externalPolicy: TrafficPolicy;
  /** Reachable from beyond the cluster IP: has a node port, an external IP or a load balancer IP. */
  readonly external: boolean;
  /** Usable under policy Cluster, sorted; empty when nothing uses that policy. */
  readonly clusterEndpoints: readonly Endpoint[];
  /** Usable under policy Local, sorted; empty when nothing uses that policy. */
  readonly localEndpoints: readonly Endpoint[];
  /** Of traffic to the cluster IP. */
  readonly internalRoute: Route;
  /** Of traffic from outside to the external addresses. Pods and the node itself always take the Cluster pool there (3-069). */
  readonly externalRoute: Route;
  /** `ip:port` of every serving endpoint, whatever the policies: a UDP flow to any other is stale (3-136, 3-138). */
  readonly servingAddresses: readonly string[];
  /** Distinct ready local endpoint IPs over all ports of the Service: what healthCheckNodePort tells (3-145). */
  readonly localReadyCount: number;
}

export interface Plan {
  readonly options: PlanOptions;
  readonly node: PlanNode;
  /** Node addresses of the family on which rules answer node ports; 'all' is every local address. Loopback only where `localhostNodePorts` is 'rules'. */
  readonly nodePortIPs: 'all' | readonly string[];
  /** What becomes of node ports on loopback, once family and `nodePortAddresses` have had their say. */
  readonly localhostNodePorts: LocalhostNodePorts;
  /** Sorted by name, then protocol. */
  readonly servicePorts: readonly ServicePort[];
  /** What was left out, and why: for the log and the event, never a reason to stop the others. */
  readonly problems: readonly PlanProblem[];
}

/** A Service, or a part of it, that cannot be expressed. */
export interface PlanProblem {
  readonly namespace: string;
  readonly service: string;
  readonly message: string;
}

/** One Service as it was planned before a change and after it. */
export interface ServiceChange {
  /** As of the previous update; empty: it is new. */
  readonly before: readonly ServicePort[];
  /** Empty: it is gone. */
  readonly after: readonly ServicePort[];
}

/** A Plan, and what in it differs from the one before: for backends whose work shall not grow with the number of Services. */
export interface PlanUpdate {
  /** The whole Plan. Put together when first asked for, at a cost that grows with the number of Services. To be asked for before the next update. */
  readonly plan: Plan;
  /** `namespace/service` -> its change, since the previous update of the same planner; undefined: anything may have changed. */
  readonly changed: ReadonlyMap<string, ServiceChange> | undefined;
  /** Those of the whole Plan. The same array as in the update before where none came or went. */
  readonly problems: readonly PlanProblem[];
}

/** Something that follows a planner's updates: all of them, in order. */
export interface PlanFollower {
  follow(update: PlanUpdate): void;
  /** The rules of all updates so far are in force. */
  apply?(): void;
  /** Lets go of what it holds. */
  stop?(): void | Promise<void>;
}
