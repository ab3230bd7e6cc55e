/** The sets and maps of our table: what their keys and values are made of. Everything that varies with Services is an element of one. */
import type { Family } from '../../lib/ip.ts';

export const TABLE = 'kube-proxy';

/** A field of a key or a value. In the kernel each takes a multiple of four bytes. */
export type Field = 'address' | 'protocol' | 'port' | 'number';

/** Where a key has no room for what it stands for: see `affinity-rules.ts`. */
const hashes = ['number', 'number', 'number', 'number'] as const;

export interface SetSchema {
  readonly key: readonly Field[];
  /** What a key leads to: nothing in a set; a verdict; or data. */
  readonly value: 'none' | 'verdict' | readonly Field[];
  /** The first field of a key is a range. */
  readonly interval?: true;
  /** Filled by packets, not by us. */
  readonly dynamic?: true;
}

const frontend = ['address', 'protocol', 'port'] as const;
const nodePort = ['protocol', 'port'] as const;
const endpoint = ['address', 'port'] as const;
const verdicts = { key: frontend, value: 'verdict' } as const;
const nodePortVerdicts = { key: nodePort, value: 'verdict' } as const;

/** In the order in which they stand in the table. Names that kube-proxy has too mean the same there (3-079..3-087). */
export const SETS = {
  /** Every cluster IP there is: what no port of it takes is refused. */
  'cluster-ips': { key: ['address'], value: 'none' },
  /** Node addresses that answer node ports, where not all do. */
  'nodeport-ips': { key: ['address'], value: 'none' },
  /** The first look: address and port of a Service -> what kind of traffic it is. */
  'service-ips': verdicts,
  'service-nodeports': nodePortVerdicts,
  /** The last look: address and port of a Service and a number -> an endpoint. Local pools begin at LOCAL_POOL. */
  'service-endpoints': { key: [...frontend, 'number'], value: endpoint },
  'nodeport-endpoints': { key: [...nodePort, 'number'], value: endpoint },
  /** What is not settled at first sight: how many endpoints to choose from, in the Cluster pool and in the Local pool. */
  'cluster-picks': verdicts,
  'local-picks': verdicts,
  'nodeport-cluster-picks': nodePortVerdicts,
  'nodeport-local-picks': nodePortVerdicts,
  'no-endpoint-services': verdicts,
  'no-endpoint-nodeports': nodePortVerdicts,
  /** Load balancer IPs that have source ranges, and who may use them. */
  'firewall-ips': { key: frontend, value: 'none' },
  'firewall-allowed': { key: ['address', ...frontend], value: 'none', interval: true },
  /** Every endpoint to itself: such a connection must come back through the node. */
  'hairpin-connections': { key: ['address', 'address'], value: 'none' },
  /** Services with session affinity: how long a client stays. */
  'affinity-services': verdicts,
  'affinity-nodeports': nodePortVerdicts,
  /** Client and what it connected to -> the endpoint it was given. */
  affinity: { key: ['address', ...frontend], value: endpoint, dynamic: true },
  /** IPv6 alone, where `affinity` holds addresses only. */
  'affinity-ports': { key: hashes, value: ['port'], dynamic: true },
} as const satisfies Readonly<Record<string, SetSchema>>;

export type SetName = keyof typeof SETS;

const ALL_NAMES = Object.keys(SETS) as readonly SetName[];
const IPV4_NAMES = ALL_NAMES.filter((name) => name !== 'affinity-ports');
const ipv6Affinity: SetSchema = { key: hashes, value: ['address'], dynamic: true };

export const setNames = (family: Family): readonly SetName[] => (family === 'IPv6' ? ALL_NAMES : IPV4_NAMES);

/** The numbers of a Local pool that shares a map with a Cluster pool. */
export const LOCAL_POOL = 32_768;

export const schemaOf = (set: SetName, family: Family): SetSchema =>
  set === 'affinity' && family === 'IPv6' ? ipv6Affinity : SETS[set];

/** nft's words for a family. */
export const nftFamily = (family: Family): 'ip' | 'ip6' => (family === 'IPv6' ? 'ip6' : 'ip');
