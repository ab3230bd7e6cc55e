/** The text of a dry run, or what the tools save -> data. */
import type { Family } from '../../lib/ip.ts';
import { parse as parseTables, type Tables } from '../iptables/parse.ts';
import { HEADINGS } from './render.ts';
import { setIdOf, type SetId } from './sets.ts';
import { parseServers, type VirtualServer } from './virtual-server.ts';

export type ParsedSets = ReadonlyMap<SetId, ReadonlySet<string>>;

export interface ParsedRules {
  readonly sets: ParsedSets;
  readonly servers: ReadonlyMap<string, VirtualServer>;
  readonly tables: Tables;
}

/** Of a whole dry run. Throws SyntaxError on text that is none. */
export function parse(text: string, family: Family): ParsedRules {
  const [ipset, ipvsadm, iptables] = HEADINGS;
  const from = [ipset, ipvsadm, iptables].map((heading) => text.indexOf(heading));
  const [first = -1, second = -1, third = -1] = from;
  if (first !== 0 || second < 0 || third < second) throw new SyntaxError('not the text of an ipvs dry run');
  return {
    sets: parseSets(text.slice(ipset.length, second), family),
    servers: parseServers(text.slice(second + ipvsadm.length, third)),
    tables: parseTables(text.slice(third + iptables.length)),
  };
}

/** Our sets in what `ipset save` prints; those of others are passed over. */
export function parseSets(text: string, family: Family): ParsedSets {
  const sets = new Map<SetId, Set<string>>();
  let [lastName, last]: [string, Set<string> | undefined] = ['', undefined];
  for (const line of text.split('\n')) {
    const [verb, name = '', element = ''] = line.split(' ');
    if (verb === 'create') {
      const id = setIdOf(name, family);
      [lastName, last] = [name, id === undefined ? undefined : new Set<string>()];
      if (id !== undefined && last) sets.set(id, last);
    } else if (verb === 'add' && name === lastName) last?.add(element);
  }
  return sets;
}
