/**
 * Which UDP flows must be forgotten: those to an address of a Service that lead to no endpoint of it. Judged by the state of the
 * table, not by what changed, so that a failed write, a restart or a lost event leaves nothing behind (3-136..3-140, trap T1).
 */
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { joinHostPort, parseIp } from '../../lib/ip.ts';
import type { PlanNode, PlanOptions } from '../plan/types.ts';
import type { UdpFrontends } from './udp-frontends.ts';

interface Flow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
}

export interface FlowContext {
  readonly node: PlanNode;
  readonly options: Pick<PlanOptions, 'serviceCIDRs' | 'nodePortRange'>;
  /** Of the node: a relay answers there for its endpoints, and sees to it that they serve. */
  readonly isRelayPort?: (port: number) => boolean;
  /** Nobody kept books before: flows to the node port range that no Service explains are then an older Service's. */
  readonly isFirst: boolean;
}

/**
 * A flow that was never translated (who answers is who was asked) is stale only when somebody serves now: otherwise forgetting it
 * would change nothing (3-137, 3-139). Translated flows of Services deleted since go, whether we saw them deleted or find them by
 * where cluster IPs and node ports come from.
 */
export function staleFlows<T extends Flow>(
  flows: readonly T[],
  frontends: UdpFrontends,
  context: FlowContext,
): readonly T[] {
  const isOrphan = orphanTest(context);
  return flows.filter((flow) => {
    const asked = joinHostPort(flow.destination, flow.port);
    const answers = joinHostPort(flow.replySource, flow.replyPort);
    const anyNode = `*:${String(flow.port)}`;
    const isTranslated = asked !== answers;
    const byAddress = frontends.serving(asked);
    const serving = byAddress ?? frontends.serving(anyNode);
    if (!serving) {
      return isTranslated && (frontends.isRetired(asked) || frontends.isRetired(anyNode) || isOrphan(flow));
    }
    if (serving.has(answers) || (serving.size > 0 && context.isRelayPort?.(flow.replyPort) === true)) return false;
    if (isTranslated) return true;
    // the same number on a machine elsewhere is nobody's node port
    return serving.size > 0 && (byAddress !== undefined || context.node.ips.includes(flow.destination));
  });
}

function orphanTest({ node, options, isFirst }: FlowContext): (flow: Flow) => boolean {
  const ranges = options.serviceCIDRs.flatMap((range) => parseCidr(range) ?? []);
  const [low = Infinity, high = 0] = (options.nodePortRange ?? '').split('-').map(Number);
  return ({ destination, port }) => {
    const ip = parseIp(destination);
    if (ip && ranges.some((range) => cidrContains(range, ip))) return true;
    return isFirst && node.ips.includes(destination) && port >= low && port <= high;
  };
}
