/** Keeps the conntrack table free of UDP flows that lead nowhere. */
import type { Conntrack } from '../host/conntrack.ts';
import type { Plan } from './plan/types.ts';
import { sameFrontends, staleFlows, udpFrontends, type UdpFrontends } from './stale-flows.ts';

export class FlowKeeper {
  readonly #conntrack: Conntrack;
  /** As of the last reconcile that worked. */
  #last: UdpFrontends = new Map();

  constructor(conntrack: Conntrack) {
    this.#conntrack = conntrack;
  }

  /**
   * To be called when the rules of `plan` are in force, never before: a flow deleted too early comes back the old way. Without
   * `always` nothing is done unless something about UDP changed. Returns the flows deleted. Throws HostError; then the next
   * call does all of it again.
   */
  async reconcile(plan: Plan, always: boolean): Promise<number> {
    const now = udpFrontends(plan);
    if (!always && sameFrontends(this.#last, now)) return 0;
    if (now.size === 0 && this.#last.size === 0) return 0;
    const retired = new Set([...this.#last.keys()].filter((key) => !now.has(key)));
    const stale = staleFlows(await this.#conntrack.listUdp(), now, retired, plan.node.ips);
    const deleted = stale.length === 0 ? 0 : await this.#conntrack.deleteUdp(stale);
    this.#last = now;
    return deleted;
  }
}
