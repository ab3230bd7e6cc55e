/**
 * The chains of our table. They depend on the options of the Plan alone, never on which Services exist. A rule cannot say "one of as
 * many as there are", so there is a chain for each number of endpoints in use, and one for each affinity time; those depend on counts alone.
 */
import type { Family } from '../../lib/ip.ts';
import { sha256Base32 } from '../../lib/hash.ts';
import type { LocalDetector, Plan, PlanOptions } from '../plan/types.ts';
import { declarations } from './declarations.ts';
import { PROTOCOLS, recallRule, rememberRule } from './affinity-rules.ts';
import { LOCAL_POOL, nftFamily } from './schema.ts';

export interface Chain {
  readonly name: string;
  /** `type … hook … priority …; policy …;` of a base chain. */
  readonly base?: string;
  /** As `nft list` words them. */
  readonly rules: readonly string[];
}

/** What the rules depend on. */
export interface Shape {
  readonly options: PlanOptions;
  /** Node ports answer on every address of the node; otherwise on those in @nodeport-ips. */
  readonly allNodePortIPs: boolean;
}

export const shapeOf = ({ options, nodePortIPs }: Pick<Plan, 'options' | 'nodePortIPs'>): Shape => ({
  options,
  allNodePortIPs: nodePortIPs === 'all',
});

/** The words that differ between families. */
const wordsOf = (family: Family) => {
  const ip = nftFamily(family);
  return {
    ip,
    at: `${ip} daddr . meta l4proto . th dport`,
    atNodePort: 'meta l4proto . th dport',
    loopback: family === 'IPv6' ? '::1' : '127.0.0.0/8',
  };
};

/** 3-077. */
const base = (type: string, hook: string, priority: string): string =>
  `type ${type} hook ${hook} priority ${priority}; policy accept;`;

/** All chains but those that depend on counts, in the order of a packet's way. */
export function fixedChains(shape: Shape): readonly Chain[] {
  const chains = [
    ...filterChains(shape),
    ...natChains(shape),
    ...trafficChains(shape, ''),
    ...trafficChains(shape, 'nodeport-'),
    ...affinityChains(shape),
  ];
  return [...chains, { name: `skeleton-${signatureOf(shape, chains)}`, rules: [] }];
}

/** An empty chain whose name says what the others hold: whoever finds it need not read them (trap T12). */
export const SIGNATURE = /^skeleton-/;

function signatureOf(shape: Shape, chains: readonly Chain[]): string {
  const counted = COUNTED_KINDS.map((kind) => countedChain(`${kind}-1`, shape.options));
  return sha256Base32(JSON.stringify([declarations(shape.options.family), chains, counted]), 16);
}

function filterChains(shape: Shape): readonly Chain[] {
  const { options } = shape;
  const { ip, at } = wordsOf(options.family);
  const client = `${ip} saddr . ${at}`;
  const isNew = 'ct state new';
  const ranges = options.guardClusterIPs ? options.serviceCIDRs : [];
  return [
    {
      name: 'filter-prerouting-pre-dnat',
      base: base('filter', 'prerouting', 'dstnat - 10'),
      rules: [`${isNew} jump firewall-check`],
    },
    { name: 'filter-output-pre-dnat', base: base('filter', 'output', '-110'), rules: [`${isNew} jump firewall-check`] },
    {
      name: 'filter-input',
      base: base('filter', 'input', 'filter'),
      rules: [
        // what ends on the node itself never passes postrouting, where others are remembered
        `${isNew} ct status dnat goto affinity-update`,
        `${isNew} jump nodeport-endpoints-check`,
        `${isNew} jump service-endpoints-check`,
      ],
    },
    {
      name: 'filter-forward',
      base: base('filter', 'forward', 'filter'),
      rules: [
        // 3-042: of a translated connection these would reach the client untranslated, which answers with a reset
        ...(options.dropInvalid ? ['ct state invalid drop'] : []),
        ...untranslatedChecks(isNew),
      ],
    },
    { name: 'filter-output', base: base('filter', 'output', 'filter'), rules: untranslatedChecks(isNew) },
    {
      name: 'firewall-check',
      rules: [`${at} @firewall-ips ${client} != @firewall-allowed drop`],
    },
    { name: 'nodeport-endpoints-check', rules: [`${nodePortMatch(shape)} vmap @no-endpoint-nodeports`] },
    { name: 'service-endpoints-check', rules: [`${at} vmap @no-endpoint-services`] },
    {
      name: 'cluster-ips-check',
      rules: options.guardClusterIPs
        ? [
            `${ip} daddr @cluster-ips goto reject-chain comment "no such port"`,
            ...(ranges.length > 0 ? [`${ip} daddr ${anyOf(ranges)} drop comment "no such Service"`] : []),
          ]
        : [],
    },
    // Over veth an ICMP error reaches a Pod while connect() holds the socket, is lost, and the Pod waits a second for its second try. A reset takes its
    // turn behind connect().
    { name: 'reject-chain', rules: ['meta l4proto tcp reject with tcp reset', 'reject'] },
  ];
}

/** 3-078, but for what was translated: it goes to an endpoint, and there is nothing to refuse. */
const untranslatedChecks = (isNew: string): readonly string[] => [
  `${isNew} ct status dnat accept`,
  `${isNew} jump service-endpoints-check`,
  `${isNew} jump cluster-ips-check`,
];

const anyOf = (ranges: readonly string[]): string =>
  ranges.length === 1 ? (ranges[0] ?? '') : `{ ${[...ranges].sort().join(', ')} }`;

/** A packet to a node port: 3-087. */
function nodePortMatch({ options, allNodePortIPs }: Shape): string {
  const { ip, atNodePort, loopback } = wordsOf(options.family);
  return allNodePortIPs
    ? `fib daddr type local ${ip} daddr != ${loopback} ${atNodePort}`
    : `${ip} daddr @nodeport-ips ${atNodePort}`;
}

function natChains(shape: Shape): readonly Chain[] {
  const { options } = shape;
  const { ip, at } = wordsOf(options.family);
  const bit = bitOf(options);
  return [
    { name: 'nat-prerouting', base: base('nat', 'prerouting', 'dstnat'), rules: ['jump services'] },
    { name: 'nat-output', base: base('nat', 'output', '-100'), rules: ['jump services'] },
    { name: 'nat-postrouting', base: base('nat', 'postrouting', 'srcnat'), rules: ['jump masquerading'] },
    {
      name: 'services',
      rules: [`${at} vmap @service-ips`, `${nodePortMatch(shape)} vmap @service-nodeports`],
    },
    {
      name: 'masquerading',
      rules: [
        'ct status dnat jump affinity-update',
        // the mark is taken off, so that a packet that passes twice is not masqueraded twice (3-041)
        `meta mark & ${bit} == ${bit} meta mark set meta mark ^ ${bit} masquerade fully-random`,
        `ct status dnat ${ip} saddr . ${ip} daddr @hairpin-connections masquerade fully-random`,
      ],
    },
  ];
}

/** What becomes of traffic once its kind is known; `prefix` tells node ports, whose keys have no address, from the others. */
function trafficChains({ options }: Shape, prefix: '' | 'nodeport-'): readonly Chain[] {
  const { at, atNodePort, ip } = wordsOf(options.family);
  const key = prefix === '' ? at : atNodePort;
  const pickFrom = (pool: 'cluster' | 'local') => `${key} vmap @${prefix}${pool}-picks`;
  const recall = recallRule(options.family);
  // 3-067, 3-099: Pods and the node itself are inside the cluster already, so for them policy Local means nothing
  const inside = (then: string) => [
    ...isFromPod(options.detectLocal, ip).map((match) => `${match} ${then}`),
    `fib saddr type local ${mark(options)}`,
    `fib saddr type local ${then}`,
  ];
  return [
    ...(prefix === '' ? [{ name: 'cluster-ip-affinity', rules: [...foreignMark(options), 'goto pick-affinity'] }] : []),
    { name: `${prefix}external`, rules: [mark(options), pickFrom('cluster')] },
    { name: `${prefix}external-local`, rules: [...inside(pickFrom('cluster')), pickFrom('local')] },
    { name: `${prefix}external-affinity`, rules: [mark(options), `goto ${prefix}pick-affinity`] },
    {
      name: `${prefix}external-local-affinity`,
      rules: [...inside(`goto ${prefix}pick-affinity`), recall, pickFrom('local')],
    },
    { name: `${prefix}pick-affinity`, rules: [recall, pickFrom('cluster')] },
  ];
}

function affinityChains({ options }: Shape): readonly Chain[] {
  const { ip } = wordsOf(options.family);
  return [
    {
      name: 'affinity-update',
      rules: [
        `${PROTOCOLS} ct original ${ip} daddr . meta l4proto . ct original proto-dst vmap @affinity-services`,
        `${PROTOCOLS} meta l4proto . ct original proto-dst vmap @affinity-nodeports`,
      ],
    },
  ];
}

const bitOf = ({ masqueradeBit }: PlanOptions): string =>
  `0x${((1 << masqueradeBit) >>> 0).toString(16).padStart(8, '0')}`;

const mark = (options: PlanOptions): string => `meta mark set meta mark | ${bitOf(options)}`;

function isFromPod(detector: LocalDetector, ip: string): readonly string[] {
  switch (detector.by) {
    case 'nothing':
      return [];
    case 'clusterCIDR':
      return [`${ip} saddr ${detector.cidr}`];
    case 'interface':
      return [`iifname ${interfaceWord(detector)}`];
  }
}

const interfaceWord = ({ name, prefix }: { name: string; prefix: boolean }): string =>
  `"${name.replaceAll(/["*\\]/g, '')}${prefix ? '*' : ''}"`;

/** 3-058, 3-087: traffic to a cluster IP that no Pod sent must come back through this node. */
function foreignMark(options: PlanOptions): readonly string[] {
  const { detectLocal, masqueradeAll, family } = options;
  if (masqueradeAll) return [mark(options)];
  switch (detectLocal.by) {
    case 'nothing':
      return [];
    case 'clusterCIDR':
      return [`${nftFamily(family)} saddr != ${detectLocal.cidr} ${mark(options)}`];
    case 'interface':
      return [`iifname != ${interfaceWord(detectLocal)} ${mark(options)}`];
  }
}

export const COUNTED_KINDS = [
  'cluster-ip',
  'pick',
  'local-pick',
  'nodeport-pick',
  'nodeport-local-pick',
  'remember',
] as const;
const COUNTED = new RegExp(`^(${COUNTED_KINDS.join('|')})-(\\d+)$`);

export type CountedKind = (typeof COUNTED_KINDS)[number];

export function countOf(chain: string): { readonly kind: CountedKind; readonly count: number } | undefined {
  const [, kind, count] = COUNTED.exec(chain) ?? [];
  return kind === undefined ? undefined : { kind: kind as CountedKind, count: Number(count) };
}

/** A chain whose name ends in a number; undefined for any other name. */
export function countedChain(name: string, options: PlanOptions): Chain | undefined {
  const counted = countOf(name);
  if (!counted) return undefined;
  const { kind, count } = counted;
  const { at, atNodePort, ip } = wordsOf(options.family);
  const pick = (key: string, map: string, offset = '') =>
    `dnat ${ip} to ${key} . numgen random mod ${String(count)}${offset} map @${map}`;
  const local = ` offset ${String(LOCAL_POOL)}`;
  const rulesOf: Readonly<Record<CountedKind, () => readonly string[]>> = {
    'cluster-ip': () => [...foreignMark(options), pick(at, 'service-endpoints')],
    pick: () => [pick(at, 'service-endpoints')],
    'local-pick': () => [pick(at, 'service-endpoints', local)],
    'nodeport-pick': () => [pick(atNodePort, 'nodeport-endpoints')],
    'nodeport-local-pick': () => [pick(atNodePort, 'nodeport-endpoints', local)],
    remember: () => [rememberRule(options.family, count)],
  };
  return { name, rules: rulesOf[kind]() };
}
