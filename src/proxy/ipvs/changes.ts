/** What is held and what is wanted -> lines for the tools, in an order in which no packet is ever refused that need not be. */
import { setServer, setWeight, type Holding } from './holding.ts';
import { createSetLine, SET_IDS, setName, type SetId } from './sets.ts';
import type { Family } from '../../lib/ip.ts';
import { realServerOptions, serverOptions, type VirtualServer } from './virtual-server.ts';
import type { Touched, Wanted } from './wanted.ts';

/** One element to come or to go. */
export interface SetChange {
  readonly verb: 'add' | 'del';
  readonly set: SetId;
  readonly element: string;
  readonly line: string;
}

export interface Changes {
  /** Sets that are missing. */
  readonly create: readonly string[];
  /** Elements to come, and those to go that nothing waits for: one start of ipset for most changes. */
  readonly first: readonly SetChange[];
  readonly bind: readonly string[];
  /** For ipvsadm. */
  readonly servers: readonly string[];
  /** Last of all: what still comes is refused, no longer served. */
  readonly unbind: readonly string[];
  readonly last: readonly SetChange[];
}

export interface ChangeOptions {
  readonly family: Family;
  /** Its virtual servers are left alone when nobody wants them. */
  readonly isSpared: (key: string) => boolean;
}

/** `touched` undefined: everything is compared. */
export function changesOf(
  held: Holding,
  wanted: Wanted,
  touched: Touched | undefined,
  { family, isSpared }: ChangeOptions,
): Changes {
  const create = SET_IDS.filter((id) => !held.sets.has(id)).map((id) => createSetLine(id, family));
  const first: SetChange[] = [];
  const last: SetChange[] = [];
  for (const set of SET_IDS) {
    const present = held.sets.get(set);
    const change = (verb: 'add' | 'del', element: string) => ({
      verb,
      set,
      element,
      line: `${verb} ${setName(set, family)} ${element}`,
    });
    const candidates = touched ? (touched.elements.get(set) ?? []) : [...(present ?? []), ...wanted.elements(set)];
    for (const element of new Set(candidates)) {
      const [has, should] = [present?.has(element) ?? false, wanted.hasElement(set, element)];
      if (should && !has) first.push(change('add', element));
      // a hairpin is looked up for the first packet to an endpoint, and that gets no more of those
      if (has && !should) (set === 'LOOP-BACK' ? first : last).push(change('del', element));
    }
  }
  const ips = touched
    ? (touched.elements.get('IPVS-IPS') ?? [])
    : [...(held.bound ?? []), ...wanted.elements('IPVS-IPS')];
  const bind: string[] = [];
  const unbind: string[] = [];
  for (const ip of new Set(ips)) {
    const [has, should] = [held.bound?.has(ip) ?? false, wanted.hasElement('IPVS-IPS', ip)];
    if (should && !has) bind.push(ip);
    if (has && !should) unbind.push(ip);
  }
  const keys = touched
    ? touched.servers
    : new Set([...held.servers.keys(), ...[...wanted.servers()].map(({ key }) => key)]);
  const servers = [...keys].flatMap((key) => serverLines(key, held, wanted.server(key), isSpared));
  return { create, first, bind, servers, unbind, last };
}

/** For one virtual server. `server` undefined: nobody wants it. */
export function serverLines(
  key: string,
  held: Holding,
  server: VirtualServer | undefined,
  isSpared: (key: string) => boolean,
): string[] {
  const present = held.servers.get(key);
  if (!server) return present && !isSpared(key) ? [`-D ${key}`] : [];
  const options = serverOptions(server);
  const lines: string[] = [];
  if (!present) lines.push(`-A ${options}`);
  else if (present.options !== options) lines.push(`-E ${options}`);
  for (const [address, weight] of server.servers) {
    const has = present?.servers.get(address);
    if (has === undefined) lines.push(`-a ${realServerOptions(key, address, weight)}`);
    // back before its last connection ended
    else if (has !== weight) lines.push(`-e ${realServerOptions(key, address, weight)}`);
  }
  for (const [address, weight] of present?.servers ?? []) {
    if (server.servers.has(address)) continue;
    if (!keepsConnections(key)) lines.push(`-d ${key} -r ${address}`);
    else if (weight !== 0) lines.push(`-e ${realServerOptions(key, address, 0)}`);
  }
  return lines;
}

/** 3-123: connections go on where the protocol has any; UDP and SCTP real servers go at once. By mark any protocol may come. */
export function keepsConnections(key: string): boolean {
  return key.startsWith('-t ') || key.startsWith('-f ');
}

/** Whose virtual server a line of ipvsadm is about. */
export function keyOfLine(line: string): string {
  return /^-\S (-f \d+ -6|\S+ \S+)/.exec(line)?.[1] ?? '';
}

/** Makes `held` what it is once these lines were carried out. */
export function carryOutServers(held: Holding, lines: readonly string[]): void {
  for (const line of lines) {
    const [verb = '', ...words] = line.split(' ');
    const rest = words.join(' ');
    const key = keyOfLine(line);
    const address = / -r (\S+)/.exec(rest)?.[1] ?? '';
    const server = held.servers.get(key);
    if (verb === '-A') held.servers.set(key, { options: rest, servers: new Map(), isLent: false });
    else if (verb === '-D') setServer(held, key, undefined);
    else if (!server) continue;
    else if (verb === '-E') server.options = rest;
    else setWeight(held, key, address, verb === '-d' ? undefined : Number(/ -w (\d+)/.exec(rest)?.[1] ?? 1));
  }
}
