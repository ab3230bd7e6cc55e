/** The tracer's outcomes in the words of the oracle. */
import type { Decision } from '../plan/decide.ts';
import type { Packet } from '../plan/packet.ts';
import type { Plan } from '../plan/types.ts';
import { compile } from './compile.ts';
import { endpointChain } from './names.ts';
import { parse } from './parse.ts';
import { render } from './render.ts';
import { trace, UnknownRuleError, type TraceOutcome } from './trace.ts';

/** One line per kind of outcome, sorted: `ip:port`, `ip:port masqueraded`, `REJECT`, `DROP` or `pass`. */
export function describeOutcomes(outcomes: readonly TraceOutcome[]): string {
  const words = outcomes.map((one) => {
    if (one.verdict !== 'forward') return one.verdict;
    return `${one.destination}${one.masquerade ? ' masqueraded' : ''}`;
  });
  return [...new Set(words)].sort().join(', ');
}

/** The same words for a Decision of the oracle. */
export function describeDecision(decision: Decision): string {
  if (decision.verdict !== 'endpoints') return decision.verdict;
  const words = decision.endpoints.map((one) => `${one.address}${one.masquerade ? ' masqueraded' : ''}`);
  return [...new Set(words)].sort().join(', ');
}

/** Compiles, renders, reads the text back and follows the packet through it. Throws UnknownRuleError. */
export function traceThroughText(plan: Plan, packets: readonly Packet[]): readonly (readonly TraceOutcome[])[] {
  const tables = parse(render(compile(plan)));
  return packets.map((packet) => {
    const lists = new Set(
      packet.remembered === undefined
        ? []
        : plan.servicePorts.map((service) => endpointChain(service, { address: packet.remembered ?? '' })),
    );
    const outcomes = trace(tables, { localIPs: plan.node.ips, isRemembered: (list) => lists.has(list) }, packet);
    if (outcomes.length === 0) throw new UnknownRuleError('the packet went nowhere');
    return outcomes;
  });
}
