/** One Service with its EndpointSlices -> its ServicePorts on this node. */
import type { EndpointSlice, Service } from '../../api/types.ts';
import { cidrContains, formatCidr, parseNetwork, type Cidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { addressOf } from './addresses.ts';
import { hasBadRanges, isName, isPort, isTimeout, quoted, serviceProblems } from './checks.ts';
import { countLocalReady, endpointsOf, hasAnyUsable, usableInCluster, usableLocally } from './endpoints.ts';
import type { PlanNode, PlanOptions, PlanProblem, Protocol, Route, ServicePort, TrafficPolicy } from './types.ts';

type Spec = Service['spec'];
type Port = NonNullable<Spec['ports']>[number];

/** What the ports of one Service have in common. */
type Common = Pick<
  ServicePort,
  | 'namespace'
  | 'service'
  | 'clusterIP'
  | 'externalIPs'
  | 'loadBalancerIPs'
  | 'sourceRanges'
  | 'nodeInSourceRanges'
  | 'affinitySeconds'
  | 'healthCheckNodePort'
  | 'localReadyCount'
>;

export interface PlannedService {
  readonly ports: readonly ServicePort[];
  readonly problems: readonly PlanProblem[];
}

const nothing: PlannedService = { ports: [], problems: [] };
const PROTOCOLS: readonly string[] = ['TCP', 'UDP', 'SCTP'];

/** Services a proxy must leave alone (3-002, 3-003). */
function isSkipped(service: Service): boolean {
  const { clusterIP, type } = service.spec;
  const labels = service.metadata.labels ?? {};
  if ('service.kubernetes.io/service-proxy-name' in labels) return true;
  return clusterIP === undefined || clusterIP === '' || clusterIP === 'None' || type === 'ExternalName';
}

export function planService(
  service: Service,
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions,
): PlannedService {
  if (isSkipped(service)) return nothing;
  const { spec } = service;
  const { name, namespace = '' } = service.metadata;
  if (!isName(name) || !isName(namespace))
    return { ports: [], problems: [{ namespace, service: name, message: BAD_NAME }] };
  const found = new Set(serviceProblems(service));
  const reject = (message: string) => found.add(message);
  const clusterIP = inFamily(spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''], options)[0];
  const ports: ServicePort[] = [];
  if (clusterIP !== undefined) {
    const common = commonOf(service, clusterIP, slices, node, options);
    for (const port of spec.ports ?? []) {
      const problem = problemOf(port, options);
      if (problem !== undefined) reject(problem);
      else ports.push(planPort(service, common, port, slices, node, options, reject));
    }
  }
  return found.size === 0 ? { ports, problems: [] } : { ports, problems: problemsOf(namespace, name, [...found]) };
}

const BAD_NAME = 'its name is none that Kubernetes allows; all of it is left out';
/** More of one Service help nobody. */
const MOST_PROBLEMS = 10;

function problemsOf(namespace: string, service: string, messages: readonly string[]): readonly PlanProblem[] {
  const told = messages.slice(0, MOST_PROBLEMS);
  if (messages.length > MOST_PROBLEMS) told.push(`and ${String(messages.length - MOST_PROBLEMS)} problems more`);
  return told.map((message) => ({ namespace, service, message }));
}

/** The API server refuses these; an old or foreign one may not have. Such a port is left out and the others go on. */
function problemOf(port: Port, { hidesClients }: PlanOptions): string | undefined {
  if (!PROTOCOLS.includes(port.protocol ?? 'TCP'))
    return `port ${String(port.port)}: unknown protocol ${quoted(port.protocol)}`;
  if (port.name && !isName(port.name)) return `port ${String(port.port)}: its name is none that Kubernetes allows`;
  // where connections end in a relay there must be sockets for them
  if (hidesClients && port.protocol === 'SCTP')
    return `port ${String(port.port)}: SCTP cannot be relayed; use another proxy mode for it`;
  if (!isPort(port.port)) return `port ${String(port.port)} is not between 1 and 65535`;
  if (port.nodePort && !isPort(port.nodePort)) return `node port ${String(port.nodePort)} is not between 1 and 65535`;
  return undefined;
}

function commonOf(
  service: Service,
  clusterIP: string,
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions,
): Common {
  const { spec } = service;
  const sourceRanges = rangesOf(spec.loadBalancerSourceRanges ?? [], options);
  // who was to be let in is not known any more: nobody is, rather than everybody
  const isClosed = sourceRanges.length === 0 && hasBadRanges(spec);
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  const nodeIps = node.ips.flatMap((text) => parseIp(text) ?? []);
  const isLocalOnly = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  const balanced = loadBalancerIPsOf(service, options);
  const external = options.allowExternalIPs ? inFamily(spec.externalIPs ?? [], options) : [];
  return {
    namespace: service.metadata.namespace ?? '',
    service: service.metadata.name,
    clusterIP,
    // one that is both is the load balancer's: else it would be open to those whom the ranges keep out
    externalIPs: external.filter((ip) => !balanced.includes(ip)),
    loadBalancerIPs: isClosed ? [] : balanced,
    sourceRanges: sourceRanges.map(formatCidr),
    nodeInSourceRanges: sourceRanges.some((range) => nodeIps.some((ip) => cidrContains(range, ip))),
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? (isTimeout(timeout) ? timeout : 10_800) : undefined,
    healthCheckNodePort: isLocalOnly && isPort(spec.healthCheckNodePort) ? spec.healthCheckNodePort : undefined,
    localReadyCount: countLocalReady(slices, node, options),
  };
}

function planPort(
  service: Service,
  common: Common,
  port: Port,
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions,
  reject: (message: string) => void,
): ServicePort {
  const { spec } = service;
  const portName = port.name ?? '';
  const protocol = (port.protocol ?? 'TCP') as Protocol;
  const nodePort = port.nodePort ? port.nodePort : undefined;
  const external = nodePort !== undefined || common.externalIPs.length > 0 || common.loadBalancerIPs.length > 0;
  const internalPolicy: TrafficPolicy = spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster';
  const externalPolicy: TrafficPolicy = spec.externalTrafficPolicy === 'Local' && external ? 'Local' : 'Cluster';
  const all = endpointsOf(slices, portName, protocol, node, options, reject);
  // 3-015, 3-016: a pool nobody draws from is left empty, so that backends write nothing for it
  const usesCluster = internalPolicy === 'Cluster' || external;
  const usesLocal = internalPolicy === 'Local' || externalPolicy === 'Local';
  const localEndpoints = usesLocal ? usableLocally(all) : [];
  const anywhere = hasAnyUsable(all);
  const route = (policy: TrafficPolicy): Route => {
    if (!anywhere) return 'REJECT';
    return policy === 'Local' && localEndpoints.length === 0 ? 'DROP' : policy;
  };
  return {
    ...common,
    portName,
    name: `${common.namespace}/${common.service}:${portName}`,
    protocol,
    port: port.port,
    nodePort,
    internalPolicy,
    externalPolicy,
    external,
    clusterEndpoints: usesCluster ? usableInCluster(all, node) : [],
    localEndpoints,
    internalRoute: route(internalPolicy),
    externalRoute: route(externalPolicy),
    servingAddresses: all.filter((one) => one.serving).map((one) => one.address),
  };
}

/** Canonical texts of the addresses of our family, each once, in the order given. */
function inFamily(texts: readonly string[], options: PlanOptions): string[] {
  return [...new Set(texts.flatMap((text) => addressOf(text.trim(), options.family) ?? []))];
}

function loadBalancerIPsOf(service: Service, options: PlanOptions): string[] {
  if (service.spec.type !== 'LoadBalancer') return [];
  const ingress = (service.status?.loadBalancer?.ingress ?? []) as { ip?: string; ipMode?: string }[];
  return inFamily(
    ingress.filter((one) => (one.ipMode ?? 'VIP') === 'VIP').flatMap((one) => one.ip ?? []),
    options,
  );
}

/** A range that holds everything switches the firewall off (3-020). Host bits are forgiven, as the API forgives them. */
function rangesOf(texts: readonly string[], options: PlanOptions): Cidr[] {
  const ranges = texts
    .flatMap((text) => parseNetwork(text.trim()) ?? [])
    .filter((range) => range.family === options.family);
  return ranges.some((range) => range.bits === 0) ? [] : ranges;
}
