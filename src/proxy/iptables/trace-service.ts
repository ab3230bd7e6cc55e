/** Plan -> text -> rules -> where packets go. */
import type { Packet } from '../plan/packet.ts';
import type { Plan } from '../plan/types.ts';
import { compile } from './compile.ts';
import { endpointChain } from './names.ts';
import { parse } from './parse.ts';
import { render } from './render.ts';
import { UnknownRuleError, type TraceOutcome } from '../trace-outcome.ts';
import { trace } from './trace.ts';

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
