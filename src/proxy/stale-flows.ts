/**
 * Which UDP flows must be forgotten: those to an address of a Service that lead to no endpoint of it. Judged by the state of the
 * table, not by what changed, so that a failed write, a restart or a lost event leaves nothing behind (3-136..3-140, trap T1).
 */
import { joinHostPort } from '../lib/ip.ts';
import type { Plan } from './plan/types.ts';

interface Flow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
}

/** `ip:port` or `*:nodePort` -> `ip:port` of the endpoints that serve. An empty set: nobody may. */
export type UdpFrontends = ReadonlyMap<string, ReadonlySet<string>>;

export function udpFrontends(plan: Plan): UdpFrontends {
  const frontends = new Map<string, Set<string>>();
  for (const service of plan.servicePorts) {
    if (service.protocol !== 'UDP') continue;
    const serving = new Set(service.servingAddresses);
    for (const ip of [service.clusterIP, ...service.externalIPs, ...service.loadBalancerIPs]) {
      frontends.set(joinHostPort(ip, service.port), serving);
    }
    if (service.nodePort !== undefined) frontends.set(`*:${String(service.nodePort)}`, serving);
  }
  return frontends;
}

/** Same answer without looking at the table: nothing to do for flows when nothing about UDP changed. */
export function sameFrontends(a: UdpFrontends, b: UdpFrontends): boolean {
  if (a.size !== b.size) return false;
  for (const [key, serving] of a) {
    const other = b.get(key);
    if (other?.size !== serving.size) return false;
    for (const address of serving) if (!other.has(address)) return false;
  }
  return true;
}

/**
 * `retired` are frontends of Services deleted since: their translated flows go too. A flow that was never translated (who answers is
 * who was asked) is stale only when somebody serves now: otherwise forgetting it would change nothing (3-137, 3-139).
 */
export function staleFlows<T extends Flow>(
  flows: readonly T[],
  frontends: UdpFrontends,
  retired: ReadonlySet<string>,
  nodeIPs: readonly string[],
): readonly T[] {
  return flows.filter((flow) => {
    const asked = joinHostPort(flow.destination, flow.port);
    const answers = joinHostPort(flow.replySource, flow.replyPort);
    const anyNode = `*:${String(flow.port)}`;
    const isTranslated = asked !== answers;
    const serving = frontends.get(asked) ?? frontends.get(anyNode);
    if (!serving) return isTranslated && (retired.has(asked) || retired.has(anyNode));
    if (serving.has(answers)) return false;
    if (isTranslated) return true;
    // the same number on a machine elsewhere is nobody's node port
    return serving.size > 0 && (frontends.has(asked) || nodeIPs.includes(flow.destination));
  });
}
