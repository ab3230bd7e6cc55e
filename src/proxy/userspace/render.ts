/** A Plan -> what a dry run prints: the relays and the rules before them, on the ports a proxy would choose first. */
import { render as renderRules } from '../iptables/render.ts';
import type { Plan } from '../plan/types.ts';
import { compile } from './compile.ts';
import { anyPort, ProxyPorts, type PortRange } from './proxy-ports.ts';
import { relayKey, relaysOf } from './relay-spec.ts';
import { renderRelay } from './relay-text.ts';

export function render(plan: Plan, range: PortRange = anyPort): string {
  const books = { TCP: new ProxyPorts(range), UDP: new ProxyPorts(range), SCTP: new ProxyPorts(range) };
  const lines: string[] = [];
  for (const service of plan.servicePorts) {
    for (const relay of relaysOf(service)) {
      const port = books[service.protocol].choose(relay.key);
      if (port !== undefined) lines.push(renderRelay(relay, port));
    }
  }
  const rules = compile(plan, (service, pool) => books[service.protocol].portOf(relayKey(service, pool)));
  return lines.join('') + renderRules(rules);
}
