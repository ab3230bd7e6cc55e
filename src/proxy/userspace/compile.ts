/** Plan -> iptables rules as data, for relays that listen on the ports given. */
import { familyOf } from '../../lib/ip.ts';
import {
  comment,
  jumpTo,
  rule,
  type Chain,
  type Jump,
  type Match,
  type Rule,
  type RuleSet,
} from '../iptables/rule-set.ts';
import type { Plan, ServicePort, TrafficPolicy } from '../plan/types.ts';
import { compileService, type CompiledService, type Context } from './compile-service.ts';
import * as names from './names.ts';

/** The port a relay listens on; undefined: there is none, and no rule leads to it. */
export type PortOf = (service: ServicePort, pool: TrafficPolicy) => number | undefined;

/** Pure. ServicePorts seen before under the same options and ports are remembered by identity. */
export function compile(plan: Plan, portOf: PortOf): RuleSet {
  const key = `${plan.node.ips.join()} ${String(plan.nodePortIPs)}`;
  const all = plan.servicePorts.flatMap((service) => remembered(service, plan, portOf, key));
  const join = (pick: (one: CompiledService) => readonly Rule[]) => all.flatMap(pick);
  const nat: Chain[] = [
    { name: names.PORTALS_CONTAINER, rules: join((one) => one.container) },
    { name: names.PORTALS_HOST, rules: join((one) => one.host) },
    { name: names.NODEPORT_CONTAINER, rules: [...notLoopback(plan), ...join((one) => one.nodePortContainer)] },
    { name: names.NODEPORT_HOST, rules: [...notLoopback(plan), ...join((one) => one.nodePortHost)] },
  ];
  const filter: Chain[] = [
    { name: names.NODEPORT_NON_LOCAL, rules: join((one) => one.nonLocal) },
    { name: names.PORTALS_FILTER, rules: [...join((one) => one.firewall), ...join((one) => one.refusals)] },
  ];
  return { family: plan.options.family, tables: { mangle: [], filter, nat }, jumps: JUMPS };
}

interface Memory extends Pick<Plan, 'options'> {
  readonly key: string;
  readonly ports: string;
  readonly compiled: CompiledService;
}
const memory = new WeakMap<ServicePort, Memory>();

function remembered(service: ServicePort, plan: Plan, portOf: PortOf, key: string): CompiledService {
  const { options } = plan;
  const ports = `${String(portOf(service, 'Cluster'))} ${String(portOf(service, 'Local'))}`;
  const known = memory.get(service);
  if (known?.options === options && known.key === key && known.ports === ports) return known.compiled;
  const compiled = compileService(service, contextOf(service, plan, portOf));
  memory.set(service, { options, key, ports, compiled });
  return compiled;
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
