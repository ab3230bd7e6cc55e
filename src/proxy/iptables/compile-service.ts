/** One ServicePort -> its own chains and its rules in the shared ones (3-050..3-071). Spells the Plan; decides nothing. */
import { endpointChain, MARK_MASQ, serviceChains } from './names.ts';
import { comment, jumpTo, rule, type Chain, type Match, type Rule } from './rule-set.ts';
import type { Endpoint, LocalDetector, PlanOptions, Route, ServicePort } from '../plan/types.ts';

export interface CompiledService {
  /** nat: the chains that exist only for this port. */
  readonly chains: readonly Chain[];
  readonly natServices: readonly Rule[];
  readonly natNodePorts: readonly Rule[];
  readonly filterServices: readonly Rule[];
  readonly filterExternal: readonly Rule[];
  readonly filterNodePorts: readonly Rule[];
  readonly filterFirewall: readonly Rule[];
}

/** What the whole Plan says about every port. */
export interface Context {
  /** Comments on endpoint rules cost memory by the megabyte in large clusters, so there they are left out (3-053). */
  readonly endpointComments: boolean;
  /** The addresses on which node ports answer. */
  readonly nodePortDestinations: readonly (readonly Match[])[];
}

const toMasquerade = jumpTo(MARK_MASQ);

const hasEndpoints = (service: ServicePort): boolean =>
  service.clusterEndpoints.length > 0 || service.localEndpoints.length > 0;

export function compileService(service: ServicePort, options: PlanOptions, context: Context): CompiledService {
  const { SVC: cluster, SVL: local, EXT: external, FW: firewall } = serviceChains(service);
  const chains = { cluster, local, external, firewall };
  const guarded = hasEndpoints(service) && service.loadBalancerIPs.length > 0 && service.sourceRanges.length > 0;
  const at = (ip: string): Match[] => [...protocol(service), { kind: 'destination', cidr: ip }, dport(service.port)];
  const nowhere = refusal(service, service.externalRoute);
  const natServices: Rule[] = [];
  const filterExternal: Rule[] = [];
  if (isPool(service.internalRoute)) {
    const chain = service.internalRoute === 'Cluster' ? chains.cluster : chains.local;
    natServices.push(rule([comment(`${service.name} cluster IP`), ...at(service.clusterIP)], jumpTo(chain)));
  }
  const entry = (ip: string, what: string, chain: string) => {
    if (hasEndpoints(service)) natServices.push(rule([comment(`${service.name} ${what}`), ...at(ip)], jumpTo(chain)));
    if (nowhere) filterExternal.push(rule([nowhere.comment, ...at(ip)], nowhere.target));
  };
  for (const ip of service.externalIPs) entry(ip, 'external IP', chains.external);
  for (const ip of service.loadBalancerIPs) entry(ip, 'loadbalancer IP', guarded ? chains.firewall : chains.external);
  const nodePort: Match[] = service.nodePort === undefined ? [] : [...protocol(service), dport(service.nodePort)];
  if (service.nodePort !== undefined && nowhere) {
    // only where the node port would answer: elsewhere its number may be somebody else's
    for (const local of context.nodePortDestinations) {
      filterExternal.push(rule([nowhere.comment, ...local, ...nodePort], nowhere.target));
    }
  }
  const internalNowhere = refusal(service, service.internalRoute);
  return {
    chains: ownChains(service, options, context, chains, guarded),
    natServices,
    natNodePorts:
      service.nodePort !== undefined && hasEndpoints(service)
        ? [rule([comment(service.name), ...nodePort], jumpTo(chains.external))]
        : [],
    filterServices: internalNowhere
      ? [rule([internalNowhere.comment, ...at(service.clusterIP)], internalNowhere.target)]
      : [],
    filterExternal,
    filterNodePorts: healthCheckRules(service),
    filterFirewall: guarded
      ? service.loadBalancerIPs.map((ip) =>
          rule([comment(`${service.name} traffic not accepted by ${chains.firewall}`), ...at(ip)], { kind: 'DROP' }),
        )
      : [],
  };
}

interface ChainNames {
  readonly cluster: string;
  readonly local: string;
  readonly external: string;
  readonly firewall: string;
}

/** Only the chains something jumps to exist (3-055). */
function ownChains(
  service: ServicePort,
  options: PlanOptions,
  context: Context,
  names: ChainNames,
  guarded: boolean,
): Chain[] {
  const { clusterEndpoints, localEndpoints } = service;
  const chains: Chain[] = [];
  const ends = new Map<string, End>();
  const endOf = (endpoint: Endpoint): End => {
    let end = ends.get(endpoint.address);
    if (!end) {
      end = { endpoint, target: { kind: 'jump', chain: endpointChain(service, endpoint) } };
      ends.set(endpoint.address, end);
    }
    return end;
  };
  const pool = (name: string, endpoints: readonly Endpoint[], isInternal: boolean) => {
    if (endpoints.length === 0) return;
    const first = isInternal ? foreignMasquerade(service, options) : [];
    chains.push({ name, rules: [...first, ...balance(service, endpoints.map(endOf), context)] });
  };
  pool(names.cluster, clusterEndpoints, service.internalRoute === 'Cluster');
  pool(names.local, localEndpoints, service.internalRoute === 'Local');
  if (service.external && hasEndpoints(service)) {
    chains.push({ name: names.external, rules: externalRules(service, options.detectLocal, names) });
  }
  if (guarded) chains.push({ name: names.firewall, rules: firewallRules(service, names) });
  const says = context.endpointComments ? [comment(service.name)] : [];
  for (const end of ends.values()) {
    chains.push({ name: end.target.chain, rules: endpointRules(service, end, says) });
  }
  return chains;
}

/** 3-058: traffic to the cluster IP that no Pod sent must come back through this node. */
function foreignMasquerade(service: ServicePort, options: PlanOptions): Rule[] {
  const isForeign = options.masqueradeAll ? [] : notFromPod(options.detectLocal);
  if (!isForeign) return [];
  const same = [...protocol(service), { kind: 'destination', cidr: service.clusterIP } as const, dport(service.port)];
  return [rule([comment(`${service.name} cluster IP`), ...same, ...isForeign], toMasquerade)];
}

/** An endpoint and the way to its chain. */
interface End {
  readonly endpoint: Endpoint;
  readonly target: { readonly kind: 'jump'; readonly chain: string };
}

/** 3-051, 3-052: first whoever remembers the client, then one at random: 1/n, 1/(n-1), …, all that is left. */
function balance(service: ServicePort, ends: readonly End[], context: Context): Rule[] {
  const says = ends.map(({ endpoint }): Match[] =>
    context.endpointComments ? [comment(`${service.name} -> ${endpoint.address}`)] : [],
  );
  const rules: Rule[] = [];
  if (service.affinitySeconds !== undefined) {
    for (const [at, { target }] of ends.entries()) {
      const recent: Match = { kind: 'recent-check', name: target.chain, seconds: service.affinitySeconds };
      rules.push(rule([...(says[at] ?? []), recent], target));
    }
  }
  for (const [at, { target }] of ends.entries()) {
    const left = ends.length - at;
    const random: Match[] = left > 1 ? [{ kind: 'random', probability: 1 / left }] : [];
    rules.push(rule([...(says[at] ?? []), ...random], target));
  }
  return rules;
}

/** 3-050: mark the endpoint that talks to itself, then translate. */
function endpointRules(service: ServicePort, { endpoint, target }: End, says: readonly Match[]): Rule[] {
  const remember: Match[] = service.affinitySeconds === undefined ? [] : [{ kind: 'recent-set', name: target.chain }];
  return [
    rule([...says, { kind: 'source', cidr: endpoint.ip }], toMasquerade),
    rule([...says, ...remember, ...protocol(service)], { kind: 'DNAT', to: endpoint.address }),
  ];
}

/** 3-066, 3-067. */
function externalRules(service: ServicePort, detector: LocalDetector, names: ChainNames): Rule[] {
  const about = `${service.name} external destinations`;
  if (service.externalPolicy === 'Cluster') {
    return [rule([comment(`masquerade traffic for ${about}`)], toMasquerade), rule([], jumpTo(names.cluster))];
  }
  const local: Match = { kind: 'address-type', of: 'src', type: 'LOCAL' };
  const pods = fromPod(detector);
  return [
    ...(pods ? [rule([comment(`pod traffic for ${about}`), ...pods], jumpTo(names.cluster))] : []),
    rule([comment(`masquerade LOCAL traffic for ${about}`), local], toMasquerade),
    rule([comment(`route LOCAL traffic for ${about}`), local], jumpTo(names.cluster)),
    ...(service.localEndpoints.length > 0 ? [rule([], jumpTo(names.local))] : []),
  ];
}

/** 3-061. */
function firewallRules(service: ServicePort, names: ChainNames): Rule[] {
  const about = comment(`${service.name} loadbalancer IP`);
  const sources = [...service.sourceRanges, ...(service.nodeInSourceRanges ? service.loadBalancerIPs : [])];
  return [
    ...sources.map((cidr) => rule([about, { kind: 'source', cidr }], jumpTo(names.external))),
    rule([comment(`other traffic to ${service.name} will be dropped by KUBE-PROXY-FIREWALL`)], { kind: 'none' }),
  ];
}

/** 3-064: whatever else filters INPUT, the load balancer must be able to ask. */
function healthCheckRules(service: ServicePort): Rule[] {
  if (service.healthCheckNodePort === undefined) return [];
  const to: Match[] = [{ kind: 'protocol', protocol: 'tcp' }, dport(service.healthCheckNodePort)];
  return [rule([comment(`${service.name} health check node port`), ...to], { kind: 'ACCEPT' })];
}

const isPool = (route: Route): boolean => route === 'Cluster' || route === 'Local';

function refusal(service: ServicePort, route: Route) {
  if (route === 'REJECT')
    return { comment: comment(`${service.name} has no endpoints`), target: { kind: route } } as const;
  if (route === 'DROP') {
    return { comment: comment(`${service.name} has no local endpoints`), target: { kind: route } } as const;
  }
  return undefined;
}

const PROTOCOLS: Readonly<Record<ServicePort['protocol'], readonly [Match]>> = {
  TCP: [{ kind: 'protocol', protocol: 'tcp' }],
  UDP: [{ kind: 'protocol', protocol: 'udp' }],
  SCTP: [{ kind: 'protocol', protocol: 'sctp' }],
};
const protocol = (service: ServicePort): readonly [Match] => PROTOCOLS[service.protocol];
const dport = (port: number): Match => ({ kind: 'dport', port });

/** undefined: nobody can tell. */
function fromPod(detector: LocalDetector, not = false): Match[] | undefined {
  if (detector.by === 'nothing') return undefined;
  const no = not ? { not } : {};
  if (detector.by === 'clusterCIDR') return [{ kind: 'source', cidr: detector.cidr, ...no }];
  return [{ kind: 'interface', name: detector.prefix ? `${detector.name}+` : detector.name, ...no }];
}

const notFromPod = (detector: LocalDetector): Match[] | undefined => fromPod(detector, true);
