/** Plan -> iptables rules as data, for relays that listen on the ports given. */
import { familyOf } from '../../lib/ip.ts';
import { ruleText } from '../iptables/render.ts';
import { comment, jumpTo, rule, type Jump, type Match, type Rule, type RuleSet } from '../iptables/rule-set.ts';
import { SpelledChain } from '../iptables/spelled-chain.ts';
import type { Plan, ServicePort, TrafficPolicy } from '../plan/types.ts';
import { compileService, type CompiledService, type Context } from './compile-service.ts';
import * as names from './names.ts';

/** The port a relay listens on; undefined: there is none, and no rule leads to it. */
export type PortOf = (service: ServicePort, pool: TrafficPolicy) => number | undefined;

/** Pure. ServicePorts seen before under the same options and ports are remembered by identity. */
export function compile(plan: Plan, portOf: PortOf): RuleSet {
  const key = `${plan.node.ips.join()} ${String(plan.nodePortIPs)}`;
  const all = plan.servicePorts.map((service) => remembered(service, plan, portOf, key));
  const chain = (name: string, parts: readonly Part[], first: readonly Rule[] = []) => {
    const rules = parts.flatMap((part) => all.flatMap((one) => one[part] ?? []));
    return new SpelledChain(name, [...first.map(ruleText), ...rules]);
  };
  const nat = [
    chain(names.PORTALS_CONTAINER, ['container']),
    chain(names.PORTALS_HOST, ['host']),
    chain(names.NODEPORT_CONTAINER, ['nodePortContainer'], notLoopback(plan)),
    chain(names.NODEPORT_HOST, ['nodePortHost'], notLoopback(plan)),
  ];
  const filter = [chain(names.NODEPORT_NON_LOCAL, ['nonLocal']), chain(names.PORTALS_FILTER, ['firewall', 'refusals'])];
  return { family: plan.options.family, tables: { mangle: [], filter, nat }, jumps: JUMPS };
}

type Part = keyof CompiledService;
/** As text, and only the parts that have rules: data takes several times the memory, and all Services are remembered. */
type SpelledService = Readonly<Partial<Record<Part, readonly string[]>>>;

interface Memory extends Pick<Plan, 'options'> {
  readonly key: string;
  readonly cluster: number | undefined;
  readonly local: number | undefined;
  readonly spelled: SpelledService;
}
const memory = new WeakMap<ServicePort, Memory>();

function remembered(service: ServicePort, plan: Plan, portOf: PortOf, key: string): SpelledService {
  const { options } = plan;
  const [cluster, local] = [portOf(service, 'Cluster'), portOf(service, 'Local')];
  const known = memory.get(service);
  if (known?.options === options && known.key === key && known.cluster === cluster && known.local === local) {
    return known.spelled;
  }
  const spelled: Partial<Record<Part, readonly string[]>> = {};
  for (const [part, rules] of Object.entries(compileService(service, contextOf(service, plan, portOf)))) {
    if (rules.length > 0) spelled[part as Part] = rules.map(ruleText);
  }
  memory.set(service, { options, key, cluster, local, spelled });
  return spelled;
}

/** For the rules of one Service port. */
export function contextOf(service: ServicePort, plan: Plan, portOf: PortOf): Context {
  const { options, node, nodePortIPs } = plan;
  const every: readonly Match[][] = nodePortIPs === 'all' ? [[]] : destinations(nodePortIPs);
  const local: Match = { kind: 'address-type', of: 'dst', type: 'LOCAL' };
  const elsewhere: Match = { kind: 'destination', cidr: loopbackOf(plan), not: true };
  return {
    options,
    nodeIp: node.ips.find((ip) => familyOf(ip) === options.family),
    nodePortDestinations: every,
    refusedDestinations: nodePortIPs === 'all' ? [[local, elsewhere]] : every,
    portOf: (pool) => portOf(service, pool),
  };
}

const destinations = (ips: readonly string[]): Match[][] => ips.map((ip) => [{ kind: 'destination', cidr: ip }]);
const loopbackOf = ({ options }: Plan): string => (options.family === 'IPv6' ? '::1' : '127.0.0.0/8');

/** Loopback is served by the relays that listen there (trap T27). */
function notLoopback(plan: Plan): Rule[] {
  return plan.nodePortIPs === 'all'
    ? [rule([{ kind: 'destination', cidr: loopbackOf(plan) }], { kind: 'RETURN' })]
    : [];
}

/** 3-128, in the order in which they stand once all are in. The same whatever the Plan. */
const JUMPS: readonly Jump[] = (() => {
  const local: Match = { kind: 'address-type', of: 'dst', type: 'LOCAL' };
  const isNew: Match = { kind: 'state', states: ['NEW'] };
  const portals = (chain: string) => rule([comment(names.ABOUT_PORTALS)], jumpTo(chain));
  const nodePorts = (chain: string) => rule([local, comment(names.ABOUT_NODEPORTS)], jumpTo(chain));
  const refused = rule([isNew, comment(names.ABOUT_FILTER)], jumpTo(names.PORTALS_FILTER));
  const nonLocal = rule([comment(names.ABOUT_NON_LOCAL)], jumpTo(names.NODEPORT_NON_LOCAL));
  const at = (table: Jump['table'], chain: string, ...rules: Rule[]): Jump[] =>
    rules.map((one) => ({ table, chain, rule: one }));
  return [
    ...at('filter', 'INPUT', refused, nonLocal),
    ...at('filter', 'FORWARD', refused),
    ...at('filter', 'OUTPUT', refused),
    ...at('nat', 'PREROUTING', portals(names.PORTALS_CONTAINER), nodePorts(names.NODEPORT_CONTAINER)),
    ...at('nat', 'OUTPUT', portals(names.PORTALS_HOST), nodePorts(names.NODEPORT_HOST)),
  ];
})();
