/** The iptables rules of ipvs mode (3-117..3-120): few and fixed. They look things up in ipsets, and mark what IPVS must tell apart. */
import type { Plan, PlanOptions } from '../plan/types.ts';
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
import * as names from './names.ts';
import { setName, type SetId } from './sets.ts';
import { markField } from './settings.ts';
import type { Share } from './share.ts';

/** `marked`: those whose packets from inside take another virtual server than those from outside. */
export function rulesOf({ options, nodePortIPs }: Plan, marked: readonly Share[]): RuleSet {
  const chain = (name: string, rules: readonly Rule[] = []): Chain => ({ name, rules });
  const canary = chain(names.CANARY);
  const hasMarks = marked.length > 0;
  return {
    family: options.family,
    tables: {
      mangle: [
        chain(names.EXTERNAL_LOCAL, hasMarks ? markRules(options, marked) : []),
        ...firewallChains(options),
        canary,
      ],
      filter: [
        chain(names.FORWARD, forwardRules(options)),
        chain(names.NODE_PORT, [healthCheckRule(options)]),
        ...firewallChains(options),
        chain(names.IPVS_FILTER, filterRules(options, 'INPUT')),
        chain(names.IPVS_OUT_FILTER, filterRules(options, 'OUTPUT')),
        chain(names.CLUSTER_IPS, unallocatedRules(options)),
        canary,
      ],
      nat: [
        chain(names.SERVICES, servicesRules(options, nodePortIPs)),
        chain(names.NODE_PORT, nodePortRules(options)),
        chain(names.LOAD_BALANCER, [
          rule([inSet('LOAD-BALANCER-LOCAL', options)], { kind: 'RETURN' }),
          rule([], jumpTo(names.MARK_MASQ)),
        ]),
        chain(names.MARK_MASQ, [rule([], { kind: 'MARK', op: 'or', bits: bitOf(options) })]),
        chain(names.POSTROUTING, postroutingRules(options, hasMarks)),
        canary,
      ],
    },
    jumps: JUMPS,
  };
}

const bitOf = (options: PlanOptions): number => (1 << options.masqueradeBit) >>> 0;
const isNew: Match = { kind: 'state', states: ['NEW'] };
const protocol = (name: string): Match => ({ kind: 'protocol', protocol: name });

function inSet(id: SetId, { family }: PlanOptions, directions = 'dst,dst'): Match {
  return { kind: 'set', name: setName(id, family), directions };
}

/** undefined: nobody can tell Pods. */
function fromPod({ detectLocal }: PlanOptions, not: boolean): Match | undefined {
  const no = not ? { not } : {};
  if (detectLocal.by === 'nothing') return undefined;
  if (detectLocal.by === 'clusterCIDR') return { kind: 'source', cidr: detectLocal.cidr, ...no };
  return { kind: 'interface', name: detectLocal.prefix ? `${detectLocal.name}+` : detectLocal.name, ...no };
}

/**
 * 3-069. Not in nat, which sees the first packet only: filter drops whatever is new and has no mark, and a UDP client may send many
 * before an answer comes. Addresses one by one, because each has a mark of its own; the set in front keeps all other packets out.
 */
function markRules(options: PlanOptions, marked: readonly Share[]): Rule[] {
  const about = comment('pods and the node take the whole pool of externalTrafficPolicy Local');
  const pods = fromPod(options, false);
  const chooses = (who: Match[]): Rule[] =>
    marked.flatMap(({ service, marked: addresses, mark = 0 }) =>
      addresses.map(({ ip, port }) => {
        const matches: Match[] = [
          comment(service.name),
          protocol(service.protocol.toLowerCase()),
          { kind: 'destination', cidr: ip },
          { kind: 'dport', port },
        ];
        return rule([...matches, ...who], { kind: 'MARK', op: 'or', bits: mark });
      }),
    );
  const local: Match = { kind: 'address-type', of: 'src', type: 'LOCAL' };
  return [
    rule([about, { ...inSet('EXTERNAL-LOCAL', options), not: true } as Match], { kind: 'RETURN' }),
    ...(pods ? chooses([pods]) : []),
    ...chooses([local]),
  ];
}

/** 3-120, trap T21. In filter for what comes in; in mangle for the node's own packets, which IPVS takes before filter sees them. */
function firewallChains(options: PlanOptions): Chain[] {
  const guarded = comment('Kubernetes service load balancer ip + port for load balancer with sourceRange');
  return [
    {
      name: names.PROXY_FIREWALL,
      rules: [rule([guarded, inSet('LOAD-BALANCER-FW', options)], jumpTo(names.SOURCE_RANGES))],
    },
    {
      name: names.SOURCE_RANGES,
      rules: [
        rule([inSet('LOAD-BALANCER-SOURCE-CIDR', options, 'dst,dst,src')], { kind: 'RETURN' }),
        rule([inSet('LOAD-BALANCER-SOURCE-IP', options, 'dst,dst,src')], { kind: 'RETURN' }),
        rule([], { kind: 'DROP' }),
      ],
    },
  ];
}

/** 3-042 without its INVALID rule: IPVS translates answers whatever conntrack thinks of them. */
function forwardRules(options: PlanOptions): Rule[] {
  const bit = bitOf(options);
  const about = 'kubernetes forwarding';
  return [
    rule([comment(`${about} rules`), { kind: 'mark', value: bit, mask: bit }], { kind: 'ACCEPT' }),
    rule([comment(`${about} conntrack rule`), { kind: 'state', states: ['RELATED', 'ESTABLISHED'] }], {
      kind: 'ACCEPT',
    }),
  ];
}

function healthCheckRule(options: PlanOptions): Rule {
  const about = comment('Kubernetes health check node port');
  return rule([about, protocol('tcp'), inSet('HEALTH-CHECK-NODE-PORT', options, 'dst')], { kind: 'ACCEPT' });
}

/**
 * What IPVS has no virtual server for: dropped where the policy says so, else refused on every address that is bound only for IPVS, so
 * that no process of the node answers there and nothing leaks (3-120, trap T28).
 */
function filterRules(options: PlanOptions, hook: 'INPUT' | 'OUTPUT'): Rule[] {
  const unmarked: Match = { kind: 'mark', value: 0, mask: markField(options).mask };
  const noLocal = inSet('NO-LOCAL', options);
  const served: readonly SetId[] = ['LOAD-BALANCER', 'CLUSTER-IP', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'];
  // in OUTPUT they were translated before they come here
  const passes = hook === 'INPUT' ? served.map((id) => rule([inSet(id, options)], { kind: 'RETURN' })) : [];
  return [
    rule([comment('no local endpoints'), noLocal, unmarked], { kind: 'DROP' }),
    rule([noLocal], { kind: 'RETURN' }),
    ...passes,
    rule([inSet('IPVS-IPS', options, 'dst')], { kind: 'REJECT' }),
  ];
}

/** 3-089. Those that a Service has are the node's own addresses, and do not come here. */
function unallocatedRules({ guardClusterIPs, serviceCIDRs, family }: PlanOptions): Rule[] {
  if (!guardClusterIPs) return [];
  const about = comment('cluster IPs that no service has');
  const own = serviceCIDRs.filter((cidr) => cidr.includes(':') === (family === 'IPv6'));
  return own.map((cidr) => rule([about, { kind: 'destination', cidr }], { kind: 'DROP' }));
}

/** 3-117. Masquerade marks. Addresses of Services come first, so that a node port with the same number says nothing about them. */
function servicesRules(options: PlanOptions, nodePortIPs: Plan['nodePortIPs']): Rule[] {
  const loopback = options.family === 'IPv6' ? '::1' : '127.0.0.0/8';
  const clusterIP = comment('Kubernetes service cluster ip + port for masquerade purpose');
  const foreign = options.masqueradeAll ? [] : [fromPod(options, true)];
  // a process of the node that asks a cluster IP has that very address as source, which only the node can answer
  const masquerade: Match[] = foreign.includes(undefined)
    ? [inSet('CLUSTER-IP', options, 'src,dst')]
    : [inSet('CLUSTER-IP', options), ...(foreign as Match[])];
  const done: readonly SetId[] = ['CLUSTER-IP', 'LOAD-BALANCER', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'];
  const about = comment('Kubernetes nodeport');
  const nodePorts: Match[][] =
    nodePortIPs === 'all'
      ? [[{ kind: 'address-type', of: 'dst', type: 'LOCAL' }]]
      : nodePortIPs.map((ip) => [{ kind: 'destination', cidr: ip }]);
  return [
    rule([{ kind: 'source', cidr: loopback }], { kind: 'RETURN' }),
    rule([comment('Kubernetes service lb portal'), inSet('LOAD-BALANCER', options)], jumpTo(names.LOAD_BALANCER)),
    rule([clusterIP, ...masquerade], jumpTo(names.MARK_MASQ)),
    rule(
      [comment('Kubernetes service external ip + port for masquerade'), inSet('EXTERNAL-IP', options)],
      jumpTo(names.MARK_MASQ),
    ),
    ...done.map((id) => rule([inSet(id, options)], { kind: 'ACCEPT' })),
    ...nodePorts.map((matches) => rule([about, ...matches], jumpTo(names.NODE_PORT))),
  ];
}

/** 3-119. */
function nodePortRules(options: PlanOptions): Rule[] {
  const kinds = [
    ['tcp', 'TCP', 'dst'],
    ['udp', 'UDP', 'dst'],
    ['sctp', 'SCTP-HASH', 'dst,dst'],
  ] as const;
  return kinds.flatMap(([name, kind, directions]) => [
    rule([protocol(name), inSet(`NODE-PORT-LOCAL-${kind}`, options, directions)], { kind: 'RETURN' }),
    rule([protocol(name), inSet(`NODE-PORT-${kind}`, options, directions)], jumpTo(names.MARK_MASQ)),
  ]);
}

/** 3-118. The mark is taken off again so that a packet that passes twice is not masqueraded twice. */
function postroutingRules(options: PlanOptions, hasMarks: boolean): Rule[] {
  const bit = bitOf(options);
  const hairpin = comment('Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose');
  const inside: Match = { kind: 'mark', value: 0, mask: markField(options).mask, not: true };
  const notPod = fromPod(options, true);
  const own: Match[] = [{ kind: 'address-type', of: 'src', type: 'LOCAL' }];
  // an interface cannot be asked for here, and no packet of the node itself came in through one
  if (notPod?.kind === 'source') own.push(notPod);
  return [
    rule([hairpin, inSet('LOOP-BACK', options, 'dst,dst,src')], { kind: 'MASQUERADE', randomFully: false }),
    ...(hasMarks ? [rule([inside, ...own], { kind: 'MASQUERADE', randomFully: true })] : []),
    rule([{ kind: 'mark', value: bit, mask: bit, not: true }], { kind: 'RETURN' }),
    rule([], { kind: 'MARK', op: 'xor', bits: bit }),
    rule([comment('kubernetes service traffic requiring SNAT')], { kind: 'MASQUERADE', randomFully: true }),
  ];
}

function at(table: Jump['table'], chain: string, text: string, to: string, ...matches: Match[]): Jump {
  return { table, chain, rule: rule([...matches, comment(text)], jumpTo(to)) };
}

/** In the order in which they stand once all are in. */
export const JUMPS: readonly Jump[] = [
  at('mangle', 'PREROUTING', 'kubernetes external addresses of policy local', names.EXTERNAL_LOCAL, isNew),
  at('mangle', 'OUTPUT', 'kube-proxy firewall rules', names.PROXY_FIREWALL, isNew),
  at('mangle', 'OUTPUT', 'kubernetes external addresses of policy local', names.EXTERNAL_LOCAL, isNew),
  at('filter', 'INPUT', 'kube-proxy firewall rules', names.PROXY_FIREWALL, isNew),
  at('filter', 'INPUT', 'kubernetes ipvs access filter', names.IPVS_FILTER, isNew),
  at('filter', 'INPUT', 'kubernetes health check rules', names.NODE_PORT),
  at('filter', 'FORWARD', 'kubernetes forwarding rules', names.FORWARD),
  at('filter', 'FORWARD', 'kubernetes cluster ips', names.CLUSTER_IPS, isNew),
  at('filter', 'OUTPUT', 'kubernetes ipvs access filter', names.IPVS_OUT_FILTER, isNew),
  at('filter', 'OUTPUT', 'kubernetes cluster ips', names.CLUSTER_IPS, isNew),
  at('nat', 'PREROUTING', 'kubernetes service portals', names.SERVICES),
  at('nat', 'OUTPUT', 'kubernetes service portals', names.SERVICES),
  at('nat', 'POSTROUTING', 'kubernetes postrouting rules', names.POSTROUTING),
];
