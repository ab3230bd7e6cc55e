/** Plan -> iptables rules as data: the chains tutorials show, in the order and with the comments people know (3-032..3-071). */
import type { Plan, PlanOptions, ServicePort } from '../plan/types.ts';
import { compileService, type CompiledService, type Context } from './compile-service.ts';
import * as names from './names.ts';
import { comment, jumpTo, rule, type Chain, type Jump, type Match, type Rule, type RuleSet } from './rule-set.ts';

/** Above this many endpoints, all Services together, endpoint rules lose their comments (3-053). */
export const LARGE_CLUSTER_ENDPOINTS = 1000;

/** Pure. ServicePorts seen before under the same options are remembered by identity, so a large Plan with one change is cheap. */
export function compile(plan: Plan): RuleSet {
  const endpoints = plan.servicePorts.reduce((sum, service) => sum + service.servingAddresses.length, 0);
  const style = endpoints > LARGE_CLUSTER_ENDPOINTS ? 'large' : 'small';
  const context = { endpointComments: style === 'small', nodePortDestinations: nodePortDestinations(plan) };
  const key = `${style} ${String(plan.nodePortIPs)}`;
  const all = plan.servicePorts.map((service) => remembered(service, plan.options, context, key));
  const join = (pick: (one: CompiledService) => readonly Rule[]) => all.flatMap(pick);
  const filter: Chain[] = [
    { name: names.SERVICES, rules: join((one) => one.filterServices) },
    { name: names.EXTERNAL_SERVICES, rules: join((one) => one.filterExternal) },
    { name: names.FORWARD, rules: forwardRules(plan.options) },
    { name: names.NODE_PORTS, rules: join((one) => one.filterNodePorts) },
    { name: names.PROXY_FIREWALL, rules: join((one) => one.filterFirewall) },
    ...(guardsLocalhost(plan.options) ? [{ name: names.FIREWALL, rules: [localnetRule] }] : []),
    { name: names.CANARY, rules: [] },
  ];
  const nat: Chain[] = [
    { name: names.SERVICES, rules: [...join((one) => one.natServices), ...nodePortEntries(plan)] },
    { name: names.NODE_PORTS, rules: join((one) => one.natNodePorts) },
    { name: names.POSTROUTING, rules: postroutingRules(plan.options) },
    { name: names.MARK_MASQ, rules: [rule([], { kind: 'MARK', op: 'or', bits: bitOf(plan.options) })] },
    { name: names.CANARY, rules: [] },
    ...all.flatMap((one) => one.chains),
  ];
  const mangle: Chain[] = [{ name: names.CANARY, rules: [] }];
  return { family: plan.options.family, tables: { mangle, filter, nat }, jumps: jumpsOf(plan.options) };
}

const memory = new WeakMap<ServicePort, { options: PlanOptions; key: string; compiled: CompiledService }>();

/** `key` says of `context` all that counts. */
function remembered(service: ServicePort, options: PlanOptions, context: Context, key: string): CompiledService {
  const known = memory.get(service);
  if (known?.options === options && known.key === key) return known.compiled;
  const compiled = compileService(service, options, context);
  memory.set(service, { options, key, compiled });
  return compiled;
}

const bitOf = (options: PlanOptions): number => (1 << options.masqueradeBit) >>> 0;
const guardsLocalhost = (options: PlanOptions): boolean =>
  options.localhostNodePorts === 'rules' && options.family === 'IPv4';

/** 3-042. INVALID first: translated connections would otherwise leak untranslated packets, which the client answers with a reset. */
function forwardRules(options: PlanOptions): Rule[] {
  const bit = bitOf(options);
  return [
    ...(options.dropInvalid ? [rule([{ kind: 'state', states: ['INVALID'] }], { kind: 'DROP' })] : []),
    rule([comment('kubernetes forwarding rules'), { kind: 'mark', value: bit, mask: bit }], { kind: 'ACCEPT' }),
    rule([comment('kubernetes forwarding conntrack rule'), { kind: 'state', states: ['RELATED', 'ESTABLISHED'] }], {
      kind: 'ACCEPT',
    }),
  ];
}

/** 3-041. The mark is taken off again so that a packet that passes twice is not masqueraded twice. */
function postroutingRules(options: PlanOptions): Rule[] {
  const bit = bitOf(options);
  return [
    rule([{ kind: 'mark', value: bit, mask: bit, not: true }], { kind: 'RETURN' }),
    rule([], { kind: 'MARK', op: 'xor', bits: bit }),
    rule([comment('kubernetes service traffic requiring SNAT')], { kind: 'MASQUERADE', randomFully: true }),
  ];
}

/** 3-043: route_localnet lets others address our loopback; only answers and translated packets may. */
const localnetRule: Rule = rule(
  [
    comment('block incoming localnet connections'),
    { kind: 'destination', cidr: '127.0.0.0/8' },
    { kind: 'source', cidr: '127.0.0.0/8', not: true },
    { kind: 'state', states: ['RELATED', 'ESTABLISHED', 'DNAT'], not: true },
  ],
  { kind: 'DROP' },
);

/** 3-065: how packets to the node's own addresses reach KUBE-NODEPORTS; behind all Services, whose IPs may be local too. */
function nodePortEntries(plan: Plan): Rule[] {
  const about = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');
  return nodePortDestinations(plan).map((matches) => rule([about, ...matches], jumpTo(names.NODE_PORTS)));
}

/** The addresses on which node ports answer: each entry is one way for a packet to be for them. */
function nodePortDestinations(plan: Plan): readonly (readonly Match[])[] {
  if (plan.nodePortIPs !== 'all') return plan.nodePortIPs.map((ip) => [{ kind: 'destination', cidr: ip }]);
  const loopback = plan.options.family === 'IPv6' ? '::1' : '127.0.0.0/8';
  const notLoopback: Match[] = guardsLocalhost(plan.options)
    ? []
    : [{ kind: 'destination', cidr: loopback, not: true }];
  return [[{ kind: 'address-type', of: 'dst', type: 'LOCAL' }, ...notLoopback]];
}

/** 3-032..3-035, in the order in which they stand once all are in. */
function jumpsOf(options: PlanOptions): Jump[] {
  const isNew: Match[] = [{ kind: 'state', states: ['NEW'] }];
  const firewall = rule([...isNew, comment('kubernetes load balancer firewall')], jumpTo(names.PROXY_FIREWALL));
  const services = rule([...isNew, comment('kubernetes service portals')], jumpTo(names.SERVICES));
  const external = rule(
    [...isNew, comment('kubernetes externally-visible service portals')],
    jumpTo(names.EXTERNAL_SERVICES),
  );
  const healthChecks = rule([comment('kubernetes health check service ports')], jumpTo(names.NODE_PORTS));
  const forward = rule([comment('kubernetes forwarding rules')], jumpTo(names.FORWARD));
  const localhost = guardsLocalhost(options) ? [rule([], jumpTo(names.FIREWALL))] : [];
  const portals = rule([comment('kubernetes service portals')], jumpTo(names.SERVICES));
  const postrouting = rule([comment('kubernetes postrouting rules')], jumpTo(names.POSTROUTING));
  const at = (table: Jump['table'], chain: string, ...rules: Rule[]): Jump[] =>
    rules.map((one) => ({ table, chain, rule: one }));
  return [
    ...at('filter', 'INPUT', firewall, healthChecks, external, ...localhost),
    ...at('filter', 'FORWARD', firewall, forward, services, external),
    // The jump to KUBE-EXTERNAL-SERVICES is one more than kube-proxy has: without it the node itself is not refused on an
    // external address without endpoints (3-023), its packets leave for the default gateway instead.
    ...at('filter', 'OUTPUT', firewall, services, external, ...localhost),
    ...at('nat', 'PREROUTING', portals),
    ...at('nat', 'OUTPUT', portals),
    ...at('nat', 'POSTROUTING', postrouting),
  ];
}
