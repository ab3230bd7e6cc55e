/** What the kernel holds of ours, as far as we know: read once, then kept in step with what we write. */
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp, type Family } from '../../lib/ip.ts';
import { shadowOfRules, type Shadow } from '../iptables/delta.ts';
import type { Tables } from '../iptables/parse.ts';
import type { RuleSet } from '../iptables/rule-set.ts';
import { renderTakeover } from './cleanup-rules.ts';
import { isIpvsChain } from './names.ts';
import type { ParsedSets } from './parse.ts';
import { ipPort, type SetId } from './sets.ts';
import type { Wanted } from './wanted.ts';
import { addressOfKey, familyOfKey, serverOptions, type VirtualServer } from './virtual-server.ts';

export interface HeldServer {
  /** As `ipvsadm -A` takes them. */
  options: string;
  /** `ip:port` -> weight. */
  servers: ReadonlyMap<string, number>;
  /** `servers` is somebody else's, and to be copied before it is changed. */
  isLent: boolean;
}

export interface Holding {
  /** undefined: there is no such set. */
  readonly sets: Map<SetId, Set<string>>;
  readonly servers: Map<string, HeldServer>;
  /** `key ip:port` of the real servers of weight 0. */
  readonly weightless: Set<string>;
  /** Addresses of kube-ipvs0; undefined: there is no device. */
  bound: Set<string> | undefined;
  rules: Shadow;
  /** What takes away the rules that iptables mode left, as input for iptables-restore. */
  leftovers: string;
}

/** What the tools read. */
export interface KernelText {
  readonly sets: ParsedSets;
  readonly servers: ReadonlyMap<string, VirtualServer>;
  readonly bound: ReadonlySet<string> | undefined;
  readonly tables: Tables;
}

/** `nodeIPs`, `markMask`: what tells our virtual servers, with the ipsets and the device, from those of others. */
export interface Ownership {
  readonly family: Family;
  /** undefined: not known, so a node port may be at any address. */
  readonly nodeIPs: readonly string[] | undefined;
  readonly markMask: number;
}

/** Of all that is in the kernel, what is ours. `isWanted`: virtual servers to know of in any case. */
export function holdingOf(text: KernelText, own: Ownership, isWanted: (key: string) => boolean): Holding {
  const held: Holding = {
    sets: new Map([...text.sets].map(([id, elements]) => [id, new Set(elements)])),
    servers: new Map(),
    weightless: new Set(),
    bound: text.bound && new Set(text.bound),
    rules: shadowOfRules(ourRules(text.tables, own.family)),
    leftovers: renderTakeover(text.tables),
  };
  for (const [key, server] of text.servers) {
    if (isWanted(key) || isOurs(key, server, text, own)) setServer(held, key, server);
  }
  return held;
}

/** `server` undefined: there is none. */
export function setServer(held: Holding, key: string, server: VirtualServer | undefined): void {
  for (const address of held.servers.get(key)?.servers.keys() ?? []) held.weightless.delete(`${key} ${address}`);
  if (!server) {
    held.servers.delete(key);
    return;
  }
  held.servers.set(key, { options: serverOptions(server), servers: new Map(), isLent: false });
  for (const [address, weight] of server.servers) setWeight(held, key, address, weight);
}

/** `weight` undefined: there is no such real server. */
export function setWeight(held: Holding, key: string, address: string, weight: number | undefined): void {
  const server = held.servers.get(key);
  if (server) {
    const servers = server.isLent ? new Map(server.servers) : (server.servers as Map<string, number>);
    if (weight === undefined) servers.delete(address);
    else servers.set(address, weight);
    server.servers = servers;
    server.isLent = false;
  }
  if (weight === 0) held.weightless.add(`${key} ${address}`);
  else held.weightless.delete(`${key} ${address}`);
}

/** Lets `held` have the very values of `wanted` where they are equal, as most are: with 30,000 Services one copy is tens of MB. */
export function lend(held: Holding, wanted: Wanted): void {
  const lent = (own: ReadonlySet<string>, theirs: Iterable<string>) => {
    const both = new Set<string>();
    for (const one of theirs) if (own.has(one)) both.add(one);
    for (const one of own) both.add(one);
    return both;
  };
  for (const [id, elements] of held.sets) held.sets.set(id, lent(elements, wanted.elements(id)));
  if (held.bound) held.bound = lent(held.bound, wanted.elements('IPVS-IPS'));
  const servers = [...held.servers];
  held.servers.clear();
  for (const [key, server] of servers) {
    const theirs = wanted.server(key);
    if (theirs && isSame(server.servers, theirs.servers)) {
      server.servers = theirs.servers;
      server.isLent = true;
    }
    held.servers.set(theirs?.key ?? key, server);
  }
}

function isSame(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a.size !== b.size) return false;
  for (const [address, weight] of a) if (b.get(address) !== weight) return false;
  return true;
}

const AT_ADDRESS: readonly SetId[] = ['CLUSTER-IP', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL', 'LOAD-BALANCER'];

/**
 * Whether a virtual server is one that we, or a proxy before us, made: its address is on kube-ipvs0, or one of our own ipsets names it.
 * Others share the kernel's table and are never touched (trap T13).
 */
export function isOurs(key: string, server: VirtualServer, { sets, bound }: KernelText, own: Ownership): boolean {
  if (familyOfKey(key) !== own.family) return false;
  const at = addressOfKey(key);
  if (!at) {
    const mark = Number(key.split(' ')[1]);
    return mark > 0 && (mark & ~own.markMask) === 0;
  }
  if (bound?.has(at.ip)) return true;
  const { protocol } = server;
  if (protocol === undefined) return false;
  const element = ipPort(at.ip, protocol, at.port);
  if (AT_ADDRESS.some((id) => sets.get(id)?.has(element))) return true;
  if (own.nodeIPs && !own.nodeIPs.includes(at.ip)) return false;
  return protocol === 'SCTP'
    ? (sets.get('NODE-PORT-SCTP-HASH')?.has(element) ?? false)
    : (sets.get(`NODE-PORT-${protocol}`)?.has(String(at.port)) ?? false);
}

/** Our chains, and the jumps into them, of what iptables-save printed. */
export function ourRules(tables: Tables, family: Family): RuleSet {
  const chains = (table: 'mangle' | 'filter' | 'nat') => tables[table] ?? [];
  const ours = (table: 'mangle' | 'filter' | 'nat') => chains(table).filter((one) => isIpvsChain(table, one.name));
  const jumps = (['mangle', 'filter', 'nat'] as const).flatMap((table) =>
    chains(table)
      .filter((chain) => chain.policy !== undefined)
      .flatMap((chain) =>
        chain.rules
          .filter(({ target }) => target.kind === 'jump' && isIpvsChain(table, target.chain))
          .map((rule) => ({ table, chain: chain.name, rule })),
      ),
  );
  return { family, tables: { mangle: ours('mangle'), filter: ours('filter'), nat: ours('nat') }, jumps };
}

/** Whether a virtual server's address is in one of these: then it is never deleted (3-124). */
export function isExcluded(key: string, excludeCIDRs: readonly string[]): boolean {
  const ip = parseIp(addressOfKey(key)?.ip ?? '');
  return (
    ip !== undefined &&
    excludeCIDRs.some((text) => {
      const cidr = parseCidr(text);
      return cidr !== undefined && cidrContains(cidr, ip);
    })
  );
}
