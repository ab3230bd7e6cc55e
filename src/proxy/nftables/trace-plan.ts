/** Plan -> text -> table -> where packets go. */
import { joinHostPort } from '../../lib/ip.ts';
import type { Packet } from '../plan/packet.ts';
import type { Plan } from '../plan/types.ts';
import { UnknownRuleError, type TraceOutcome } from '../trace-outcome.ts';
import { compile } from './compile.ts';
import { parse, type ParsedTable } from './parse.ts';
import { render } from './render.ts';
import { LOCAL_POOL } from './schema.ts';
import { trace } from './trace.ts';

/** Compiles, renders, reads the text back and follows the packets through it. Throws UnknownRuleError. */
export function traceThroughText(plan: Plan, packets: readonly Packet[]): readonly (readonly TraceOutcome[])[] {
  const [table] = parse(render(compile(plan)));
  if (!table) throw new UnknownRuleError('there is no table');
  return packets.map((packet) => tracePacket(table, plan.node.ips, packet));
}

/** `localIPs` are the node's own addresses. */
export function tracePacket(table: ParsedTable, localIPs: readonly string[], packet: Packet): readonly TraceOutcome[] {
  const outcomes = trace(table, { localIPs, recall: (chain) => recall(table, packet, chain) }, packet);
  if (outcomes.length === 0) throw new UnknownRuleError('the packet went nowhere');
  return outcomes;
}

/** What @affinity says of a client that was given `packet.remembered`: entries for endpoints a pool no longer has are gone. */
function recall(table: ParsedTable, packet: Packet, chain: string): string | undefined {
  if (packet.remembered === undefined) return undefined;
  const isLocal = chain.endsWith('local-affinity');
  const key = `${packet.protocol.toLowerCase()} . ${String(packet.port)}`;
  const values = chain.startsWith('nodeport-')
    ? pool(table, 'nodeport-endpoints', key, isLocal)
    : pool(table, 'service-endpoints', `${packet.destination} . ${key}`, isLocal);
  return values.get(packet.remembered);
}

/** `ip:port` -> `ip . port` of the endpoints of one pool. */
function pool(table: ParsedTable, map: string, key: string, isLocal: boolean): ReadonlyMap<string, string> {
  const elements = table.sets.get(map)?.elements;
  const found = new Map<string, string>();
  for (let number = isLocal ? LOCAL_POOL : 0; ; number++) {
    const element = elements?.get(`${key} . ${String(number)}`);
    if (!element) return found;
    const [ip = '', port = ''] = element.value.split(' . ');
    found.set(joinHostPort(ip, port), element.value);
  }
}
