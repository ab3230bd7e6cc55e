/** What one ServicePort adds to the node: elements of ipsets and virtual servers. Spells the Plan; decides nothing. */
import type { Family } from '../../lib/ip.ts';
import type { Endpoint, Plan, Route, ServicePort } from '../plan/types.ts';
import { ipPort, range, type SetId } from './sets.ts';
import { markKey, serverKey, type VirtualServer } from './virtual-server.ts';

/** What the whole node says about every port. */
export interface ShareContext {
  readonly family: Family;
  /** Addresses of the node: never bound a second time (trap T19). */
  readonly nodeIPs: readonly string[];
  /** Where node ports answer (3-125). */
  readonly nodePortIPs: readonly string[];
  /** As ipvsadm wants it. */
  readonly scheduler: string;
}

/** An external address whose policy is Local. */
export interface LocalAddress {
  readonly ip: string;
  readonly port: number;
}

export interface Share {
  readonly service: ServicePort;
  readonly elements: readonly (readonly [SetId, string])[];
  readonly servers: readonly VirtualServer[];
  /** Where packets of Pods and of the node must be given the mark that leads to the Cluster pool (3-069). */
  readonly marked: readonly LocalAddress[];
  readonly mark: number | undefined;
}

export function contextOf(plan: Plan, scheduler: string): ShareContext {
  const { family } = plan.options;
  const nodeIPs = plan.node.ips.filter((ip) => ip.includes(':') === (family === 'IPv6'));
  return { family, nodeIPs, nodePortIPs: plan.nodePortIPs === 'all' ? nodeIPs : plan.nodePortIPs, scheduler };
}

/** Whether its external addresses lead to one pool from outside and to another from inside, so that it needs a mark. */
export function needsMark(service: ServicePort): boolean {
  return service.external && service.externalPolicy === 'Local' && service.externalRoute !== 'REJECT';
}

/** `mark`: of a service port that needs one. */
export function shareOf(service: ServicePort, context: ShareContext, mark: number | undefined): Share {
  const elements: [SetId, string][] = [];
  const servers: VirtualServer[] = [];
  const marked: LocalAddress[] = [];
  const { protocol, port } = service;
  const add = (set: SetId, ip: string, at = port) => elements.push([set, ipPort(ip, protocol, at)]);
  const serve = (ip: string, at: number, route: Route) => {
    if (route === 'DROP') add('NO-LOCAL', ip, at);
    else servers.push(virtualServer(serverKey(protocol, ip, at), service, context, poolOf(service, route)));
  };
  serve(service.clusterIP, port, service.internalRoute);
  if (service.internalRoute !== 'DROP') add('CLUSTER-IP', service.clusterIP);
  const isLocal = service.externalPolicy === 'Local';
  const served = service.externalRoute !== 'DROP';
  const external = (ip: string, at: number) => {
    serve(ip, at, service.externalRoute);
    if (mark === undefined) return;
    add('EXTERNAL-LOCAL', ip, at);
    marked.push({ ip, port: at });
  };
  for (const ip of service.externalIPs) {
    external(ip, port);
    if (served) add(isLocal ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP', ip);
  }
  for (const ip of service.loadBalancerIPs) {
    external(ip, port);
    if (served) add('LOAD-BALANCER', ip);
    if (served && isLocal) add('LOAD-BALANCER-LOCAL', ip);
  }
  elements.push(...firewall(service), ...nodePortElements(service, context), ...hairpins(service));
  const { nodePort } = service;
  if (nodePort !== undefined) for (const ip of context.nodePortIPs) external(ip, nodePort);
  if (mark !== undefined) {
    servers.push(virtualServer(markKey(mark, context.family), service, context, service.clusterEndpoints));
  }
  for (const ip of [service.clusterIP, ...service.externalIPs, ...service.loadBalancerIPs]) {
    if (!context.nodeIPs.includes(ip)) elements.push(['IPVS-IPS', ip]);
  }
  return { service, elements, servers, marked, mark };
}

function poolOf(service: ServicePort, route: Route): readonly Endpoint[] {
  if (route === 'Cluster') return service.clusterEndpoints;
  // a virtual server without real servers refuses: that is what REJECT looks like here
  return route === 'Local' ? service.localEndpoints : [];
}

function virtualServer(
  key: string,
  service: ServicePort,
  { scheduler }: ShareContext,
  pool: readonly Endpoint[],
): VirtualServer {
  return {
    key,
    protocol: key.startsWith('-f') ? undefined : service.protocol,
    scheduler,
    persistence: service.affinitySeconds,
    servers: new Map(pool.map((endpoint) => [endpoint.address, 1])),
  };
}

/** 3-061. Where nothing is to be protected because nobody answers, all are refused alike. */
function firewall(service: ServicePort): [SetId, string][] {
  const { loadBalancerIPs, sourceRanges, protocol, port, externalRoute } = service;
  if (sourceRanges.length === 0 || externalRoute === 'REJECT') return [];
  return loadBalancerIPs.flatMap((ip): [SetId, string][] => {
    const at = ipPort(ip, protocol, port);
    return [
      ['LOAD-BALANCER-FW', at],
      ...sourceRanges.map((cidr): [SetId, string] => ['LOAD-BALANCER-SOURCE-CIDR', `${at},${range(cidr)}`]),
      // what the node sends to an address of its own carries that address as source
      ...(service.nodeInSourceRanges ? loadBalancerIPs : []).map((own): [SetId, string] => [
        'LOAD-BALANCER-SOURCE-IP',
        `${at},${own}`,
      ]),
    ];
  });
}

function nodePortElements(service: ServicePort, { nodePortIPs }: ShareContext): [SetId, string][] {
  const { nodePort, protocol, externalPolicy, healthCheckNodePort } = service;
  const elements: [SetId, string][] = [];
  const add = (kind: 'NODE-PORT' | 'NODE-PORT-LOCAL', at: number) => {
    if (protocol !== 'SCTP') elements.push([`${kind}-${protocol}`, String(at)]);
    else for (const ip of nodePortIPs) elements.push([`${kind}-SCTP-HASH`, ipPort(ip, protocol, at)]);
  };
  if (nodePort !== undefined) {
    add('NODE-PORT', nodePort);
    if (externalPolicy === 'Local') add('NODE-PORT-LOCAL', nodePort);
  }
  if (healthCheckNodePort !== undefined) elements.push(['HEALTH-CHECK-NODE-PORT', String(healthCheckNodePort)]);
  return elements;
}

/** An endpoint that reaches itself must be answered through the node (3-070, 3-118, trap T20). */
function hairpins({ clusterEndpoints, localEndpoints, protocol }: ServicePort): [SetId, string][] {
  return [...new Set([...clusterEndpoints, ...localEndpoints])].map(({ ip, port }) => [
    'LOOP-BACK',
    `${ipPort(ip, protocol, port)},${ip}`,
  ]);
}
