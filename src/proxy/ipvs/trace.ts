/** Follows one packet through ipsets, virtual servers and rules in the order in which the kernel asks them. */
import type { Family } from '../../lib/ip.ts';
import { outcomeOf, Walker, type SetPart, type State } from '../iptables/trace.ts';
import type { Packet } from '../plan/packet.ts';
import { Addresses } from '../trace-addresses.ts';
import { UnknownRuleError, type TraceOutcome } from '../trace-outcome.ts';
import type { ParsedRules } from './parse.ts';
import { ipPort, setIdOf, SET_TYPES } from './sets.ts';
import { addressOfKey, markKey, serverKey, type VirtualServer } from './virtual-server.ts';

/** All ways a first packet can go. `nodeIPs` are the node's addresses but those of kube-ipvs0. Throws UnknownRuleError. */
export function trace(
  rules: ParsedRules,
  family: Family,
  nodeIPs: readonly string[],
  packet: Packet,
): readonly TraceOutcome[] {
  const bound = [...(rules.sets.get('IPVS-IPS') ?? [])];
  const inSet = (name: string, parts: readonly SetPart[]) => holds(rules, family, name, parts);
  const walker = new Walker(rules.tables, { localIPs: [...nodeIPs, ...bound], inSet }, packet);
  const { destination: ip, port } = packet;
  const start: State = { ip, port, mark: 0, translated: false, masquerade: false, share: 1, last: undefined };
  let live: State[] = [start];
  const outcomes: TraceOutcome[] = [];
  const end = (verdict: TraceOutcome['verdict'], state: State) => outcomes.push(outcomeOf(verdict, state));
  const staysHere = (state: State) => walker.isLocal(state.ip);
  const through = (table: string, hook: string, when: (state: State) => boolean = () => true) => {
    live = live.flatMap((state) => {
      if (!when(state)) return [state];
      return walker.hook(table, hook, state).flatMap((walked) => {
        if (walked.end !== 'DROP' && walked.end !== 'REJECT') return [walked.state];
        end(walked.end, walked.state);
        return [];
      });
    });
  };
  const balance = (when: (state: State) => boolean) => {
    live = live.flatMap((state) => {
      const server = when(state) && !state.translated ? find(rules, family, packet, state) : undefined;
      if (!server) return [state];
      const next = schedule(server, packet, state);
      if (next.length === 0) end('REJECT', told(state, `${server.key} has no real server`));
      return next;
    });
  };
  if (packet.fromNode) {
    through('mangle', 'OUTPUT');
    through('nat', 'OUTPUT');
    // IPVS takes the node's own packets before filter sees where they were going
    balance(() => true);
    through('filter', 'OUTPUT');
    through('nat', 'POSTROUTING');
    through('filter', 'INPUT', staysHere);
  } else {
    through('mangle', 'PREROUTING');
    through('nat', 'PREROUTING');
    through('filter', 'FORWARD', (state) => !staysHere(state));
    through('filter', 'INPUT', staysHere);
    balance(staysHere);
    through('filter', 'OUTPUT', (state) => state.translated && !staysHere(state));
    // what is for the node itself never leaves it
    through('nat', 'POSTROUTING', (state) => !staysHere(state));
  }
  for (const state of live) end(state.translated ? 'forward' : 'pass', state);
  return outcomes;
}

function find(
  rules: ParsedRules,
  family: Family,
  packet: Packet,
  { mark, ip, port }: State,
): VirtualServer | undefined {
  const byMark = mark === 0 ? undefined : rules.servers.get(markKey(mark, family));
  return byMark ?? rules.servers.get(serverKey(packet.protocol, ip, port));
}

function schedule(server: VirtualServer, { remembered }: Packet, state: State): State[] {
  const usable = [...server.servers].filter(([, weight]) => weight > 0).map(([address]) => address);
  const known = server.persistence === undefined ? [] : usable.filter((address) => address === remembered);
  const pool = known.length > 0 ? known : usable;
  return pool.map((address) => {
    const to = addressOfKey(`-t ${address}`);
    if (!to) throw new UnknownRuleError(`a real server without an address: ${address}`);
    const after = { ...state, ...to, translated: true, share: state.share / pool.length };
    return told(after, `${server.key} -> ${address}`);
  });
}

function told(state: State, rule: string): State {
  return { ...state, last: { table: 'ipvs', chain: 'ipvs', rule, before: state.last } };
}

function holds({ sets }: ParsedRules, family: Family, name: string, parts: readonly SetPart[]): boolean | undefined {
  const id = setIdOf(name, family);
  const set = id === undefined ? undefined : sets.get(id);
  if (id === undefined || !set) return undefined;
  const [first, second, third] = parts;
  if (!first) return undefined;
  const pair = second?.port === undefined ? undefined : ipPort(first.ip, second.protocol, second.port);
  switch (SET_TYPES[id]) {
    case 'hash:ip':
      return set.has(first.ip);
    case 'bitmap:port':
      return set.has(String(first.port));
    case 'hash:ip,port':
      return pair === undefined ? undefined : set.has(pair);
    case 'hash:ip,port,ip':
      return pair === undefined || !third ? undefined : set.has(`${pair},${third.ip}`);
    case 'hash:ip,port,net':
      return pair === undefined || !third ? undefined : hasRange(set, pair, third.ip);
  }
}

function hasRange(set: ReadonlySet<string>, pair: string, ip: string): boolean {
  const addresses = new Addresses();
  return [...set].some(
    (element) => element.startsWith(`${pair},`) && addresses.contains(element.slice(pair.length + 1), ip),
  );
}
