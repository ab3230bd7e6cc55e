/** Plan -> text -> rules and relays -> where packets go. */
import { parse } from '../iptables/parse.ts';
import { trace as traceRules } from '../iptables/trace.ts';
import type { Packet } from '../plan/packet.ts';
import type { Plan } from '../plan/types.ts';
import { UnknownRuleError, type TraceOutcome } from '../trace-outcome.ts';
import { parseRelays, type RelayLine } from './relay-text.ts';
import { render } from './render.ts';

/** Renders, reads the text back, follows each packet to a relay and beyond. Throws UnknownRuleError. */
export function traceThroughText(plan: Plan, packets: readonly Packet[]): readonly (readonly TraceOutcome[])[] {
  const text = render(plan);
  const tables = parse(text);
  const relays = new Map(parseRelays(text).map((one) => [`${one.protocol} ${String(one.port)}`, one]));
  return packets.map((packet) => {
    const outcomes = traceRules(tables, { localIPs: plan.node.ips }, packet);
    if (outcomes.length === 0) throw new UnknownRuleError('the packet went nowhere');
    return outcomes.flatMap((one) => {
      if (one.verdict !== 'forward') return [one];
      const port = one.destination.slice(one.destination.lastIndexOf(':') + 1);
      const relay = relays.get(`${packet.protocol} ${port}`);
      if (!relay) throw new UnknownRuleError(`nothing listens on ${one.destination}`);
      return beyond(relay, one, packet);
    });
  });
}

/** A relay dials from the node: the endpoint never sees the client (3-127). */
function beyond(relay: RelayLine, to: TraceOutcome, { remembered }: Packet): readonly TraceOutcome[] {
  const steps = [...to.steps, { table: 'relay', chain: relay.name, rule: relay.line }];
  if (relay.endpoints.length === 0) return [{ ...to, verdict: 'REJECT', steps }];
  const known = relay.hasAffinity ? relay.endpoints.filter((one) => one === remembered) : [];
  const pool = known.length > 0 ? known : relay.endpoints;
  return pool.map((destination) => ({ ...to, destination, masquerade: true, share: to.share / pool.length, steps }));
}
