/** The rules that do not depend on Services: marks, forwarding, masquerade, and the jumps from the kernel's own chains (3-032..3-046). */
import type { Plan, PlanOptions } from '../plan/types.ts';
import * as names from './names.ts';
import { comment, jumpTo, rule, type Jump, type Match, type Rule } from './rule-set.ts';

export const bitOf = (options: PlanOptions): number => (1 << options.masqueradeBit) >>> 0;

/** Whether node ports may answer on 127.0.0.1, so that loopback must be guarded against others (3-043). */
export const guardsLocalhost = (options: PlanOptions): boolean =>
  options.localhostNodePorts === 'rules' && options.family === 'IPv4';

/** 3-042. INVALID first: translated connections would otherwise leak untranslated packets, which the client answers with a reset. */
export function forwardRules(options: PlanOptions): Rule[] {
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
export function postroutingRules(options: PlanOptions, randomFully: boolean): Rule[] {
  const bit = bitOf(options);
  return [
    rule([{ kind: 'mark', value: bit, mask: bit, not: true }], { kind: 'RETURN' }),
    rule([], { kind: 'MARK', op: 'xor', bits: bit }),
    rule([comment('kubernetes service traffic requiring SNAT')], { kind: 'MASQUERADE', randomFully }),
  ];
}

/** 3-043: route_localnet lets others address our loopback; only answers and translated packets may. */
export const localnetRule: Rule = rule(
  [
    comment('block incoming localnet connections'),
    { kind: 'destination', cidr: '127.0.0.0/8' },
    { kind: 'source', cidr: '127.0.0.0/8', not: true },
    { kind: 'state', states: ['RELATED', 'ESTABLISHED', 'DNAT'], not: true },
  ],
  { kind: 'DROP' },
);

/** 3-065: how packets to the node's own addresses reach KUBE-NODEPORTS; behind all Services, whose IPs may be local too. */
export function nodePortEntries(destinations: readonly (readonly Match[])[]): Rule[] {
  const about = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');
  return destinations.map((matches) => rule([about, ...matches], jumpTo(names.NODE_PORTS)));
}

/** The addresses on which node ports answer: each entry is one way for a packet to be for them. */
export function nodePortDestinations(plan: Pick<Plan, 'options' | 'nodePortIPs'>): readonly (readonly Match[])[] {
  if (plan.nodePortIPs !== 'all') return plan.nodePortIPs.map((ip) => [{ kind: 'destination', cidr: ip }]);
  const loopback = plan.options.family === 'IPv6' ? '::1/128' : '127.0.0.0/8';
  const notLoopback: Match[] = guardsLocalhost(plan.options)
    ? []
    : [{ kind: 'destination', cidr: loopback, not: true }];
  return [[{ kind: 'address-type', of: 'dst', type: 'LOCAL' }, ...notLoopback]];
}

/** 3-032..3-035, in the order in which they stand once all are in. */
export function jumpsOf(options: PlanOptions): Jump[] {
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
