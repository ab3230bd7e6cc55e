/** One ServicePort -> its rules (3-128..3-130). Which pool a client may use is spelled here; the relay behind it only takes turns. */
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { joinHostPort } from '../../lib/ip.ts';
import { comment, rule, type Match, type Rule, type Target } from '../iptables/rule-set.ts';
import type { LocalDetector, PlanOptions, Route, ServicePort, TrafficPolicy } from '../plan/types.ts';
import { relayLabel } from './relay-spec.ts';

export interface CompiledService {
  /** In PREROUTING: from Pods and from outside. */
  readonly container: readonly Rule[];
  /** In OUTPUT: from the node itself. */
  readonly host: readonly Rule[];
  readonly nodePortContainer: readonly Rule[];
  readonly nodePortHost: readonly Rule[];
  readonly nonLocal: readonly Rule[];
  readonly firewall: readonly Rule[];
  readonly refusals: readonly Rule[];
}

/** What the whole Plan, and the relays, say about one Service port. */
export interface Context {
  readonly options: PlanOptions;
  /** Where the node reaches its own relays; undefined: over loopback. */
  readonly nodeIp: string | undefined;
  /** The addresses on which node ports answer, as matches in the chains of node ports. */
  readonly nodePortDestinations: readonly (readonly Match[])[];
  /** The same where nothing was matched before. */
  readonly refusedDestinations: readonly (readonly Match[])[];
  readonly portOf: (pool: TrafficPolicy) => number | undefined;
}

/** Some of the clients, and the pool they may use. */
interface Way {
  readonly matches: readonly Match[];
  readonly pool: TrafficPolicy;
}

export function compileService(service: ServicePort, context: Context): CompiledService {
  const { externalIPs, loadBalancerIPs, nodePort, clusterIP, internalRoute } = service;
  const protocol: Match = { kind: 'protocol', protocol: service.protocol.toLowerCase() };
  const dport: Match = { kind: 'dport', port: service.port };
  const at = (ip: string): Match[] => [protocol, { kind: 'destination', cidr: ip }, dport];
  const lead = (to: 'container' | 'host') => (way: Way, matches: readonly Match[]) => {
    const port = context.portOf(way.pool);
    if (port === undefined) return [];
    const target: Target =
      to === 'container' || context.nodeIp === undefined
        ? { kind: 'REDIRECT', port }
        : { kind: 'DNAT', to: joinHostPort(context.nodeIp, port) };
    return [rule([comment(relayLabel(service, way.pool)), ...matches, ...way.matches], target)];
  };
  const portals = (to: 'container' | 'host', external: readonly Way[]): Rule[] => {
    const inside =
      internalRoute === 'Cluster' || internalRoute === 'Local' ? [{ matches: [], pool: internalRoute }] : [];
    const guarded = external.flatMap((way) => withinRanges(service, way));
    return [
      ...inside.flatMap((way) => lead(to)(way, at(clusterIP))),
      ...externalIPs.flatMap((ip) => external.flatMap((way) => lead(to)(way, at(ip)))),
      ...loadBalancerIPs.flatMap((ip) => guarded.flatMap((way) => lead(to)(way, at(ip)))),
    ];
  };
  const nodePorts = (to: 'container' | 'host', external: readonly Way[]): Rule[] =>
    nodePort === undefined
      ? []
      : context.nodePortDestinations.flatMap((where) =>
          external.flatMap((way) => lead(to)(way, [protocol, ...where, { kind: 'dport', port: nodePort }])),
        );
  const fromElsewhere = hasEndpoints(service) ? waysOf(service, context.options.detectLocal) : [];
  // the node is inside the cluster, so Local means nothing for it (3-069)
  const fromNode: Way[] = hasEndpoints(service) && service.external ? [{ matches: [], pool: 'Cluster' }] : [];
  return {
    container: portals('container', fromElsewhere),
    host: portals('host', fromNode),
    nodePortContainer: nodePorts('container', fromElsewhere),
    nodePortHost: nodePorts('host', fromNode),
    nonLocal: acceptances(service, context),
    firewall: isGuarded(service)
      ? loadBalancerIPs.map((ip) =>
          rule([comment(`${service.name} traffic from outside its source ranges`), ...at(ip)], { kind: 'DROP' }),
        )
      : [],
    refusals: refusals(service, context, at),
  };
}

const hasEndpoints = (service: ServicePort): boolean =>
  service.clusterEndpoints.length > 0 || service.localEndpoints.length > 0;

/** From beyond the cluster IP, and not from the node: Pods and what carries an address of ours take all, others perhaps the node's own (3-067..3-069). */
function waysOf(service: ServicePort, detector: LocalDetector): readonly Way[] {
  if (!service.external) return [];
  if (service.externalPolicy === 'Cluster') return [{ matches: [], pool: 'Cluster' }];
  const pods = fromPod(detector);
  return [
    ...(pods ? [{ matches: [pods], pool: 'Cluster' } as const] : []),
    { matches: [{ kind: 'address-type', of: 'src', type: 'LOCAL' }], pool: 'Cluster' },
    ...(service.localEndpoints.length > 0 ? [{ matches: [], pool: 'Local' } as const] : []),
  ];
}

function fromPod(detector: LocalDetector): Match | undefined {
  if (detector.by === 'nothing') return undefined;
  if (detector.by === 'clusterCIDR') return { kind: 'source', cidr: detector.cidr };
  return { kind: 'interface', name: detector.prefix ? `${detector.name}+` : detector.name };
}

const isGuarded = (service: ServicePort): boolean =>
  hasEndpoints(service) && service.loadBalancerIPs.length > 0 && service.sourceRanges.length > 0;

/** 3-061. A rule has room for one source, so the two are intersected. */
function withinRanges(service: ServicePort, way: Way): readonly Way[] {
  if (!isGuarded(service)) return [way];
  const ranges = [...service.sourceRanges, ...(service.nodeInSourceRanges ? service.loadBalancerIPs : [])];
  return ranges.flatMap((range) => {
    const [other] = way.matches.flatMap((match) => (match.kind === 'source' ? [match] : []));
    const cidr = other ? smaller(range, other.cidr) : range;
    if (cidr === undefined) return [];
    return [{ ...way, matches: [{ kind: 'source', cidr }, ...way.matches.filter((match) => match !== other)] }];
  });
}

/** What is in both ranges; undefined: nothing. Ranges hold one another or have nothing in common. */
function smaller(a: string, b: string): string | undefined {
  const [left, right] = [rangeOf(a), rangeOf(b)];
  if (!left || !right) return undefined;
  if (cidrContains(left, { family: right.family, value: right.base }) && left.bits <= right.bits) return b;
  return cidrContains(right, { family: left.family, value: left.base }) && right.bits <= left.bits ? a : undefined;
}

const rangeOf = (text: string) => parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? '128' : '32'}`);

/** Whatever else filters INPUT: node ports, and what a load balancer asks for health (3-064, 3-128). */
function acceptances(service: ServicePort, { portOf }: Context): Rule[] {
  const accept = (text: string, protocol: string, port: number, state: readonly Match[]) =>
    rule([comment(text), { kind: 'protocol', protocol }, { kind: 'dport', port }, ...state], { kind: 'ACCEPT' });
  const isNew: Match = { kind: 'state', states: ['NEW'] };
  const rules: Rule[] = [];
  for (const pool of service.nodePort === undefined || !hasEndpoints(service) ? [] : (['Cluster', 'Local'] as const)) {
    const port = portOf(pool);
    if (port !== undefined) rules.push(accept(service.name, service.protocol.toLowerCase(), port, [isNew]));
  }
  const { healthCheckNodePort } = service;
  if (healthCheckNodePort !== undefined) {
    rules.push(accept(`${service.name} health check node port`, 'tcp', healthCheckNodePort, []));
  }
  return rules;
}

/** 3-023, 3-024. What a rule of nat took elsewhere is not met here any more. */
function refusals(service: ServicePort, context: Context, at: (ip: string) => Match[]): Rule[] {
  const rules: Rule[] = [];
  const refuse = (route: Route, matches: readonly Match[]) => {
    if (route !== 'REJECT' && route !== 'DROP') return;
    const why = route === 'REJECT' ? 'has no endpoints' : 'has no local endpoints';
    rules.push(rule([comment(`${service.name} ${why}`), ...matches], { kind: route }));
  };
  refuse(service.internalRoute, at(service.clusterIP));
  for (const ip of [...service.externalIPs, ...service.loadBalancerIPs]) refuse(service.externalRoute, at(ip));
  const { nodePort } = service;
  if (nodePort === undefined) return rules;
  for (const where of context.refusedDestinations) {
    const protocol: Match = { kind: 'protocol', protocol: service.protocol.toLowerCase() };
    refuse(service.externalRoute, [...where, protocol, { kind: 'dport', port: nodePort }]);
  }
  return rules;
}
