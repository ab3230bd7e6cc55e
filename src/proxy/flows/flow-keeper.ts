/** Keeps the conntrack table free of UDP flows that lead nowhere. */
import type { Conntrack } from '../../host/conntrack.ts';
import type { PlanFollower, PlanNode, PlanOptions, PlanUpdate } from '../plan/types.ts';
import { staleFlows, type FlowContext } from './stale-flows.ts';
import { UdpFrontends } from './udp-frontends.ts';

export class FlowKeeper implements PlanFollower {
  readonly #conntrack: Conntrack;
  readonly #frontends = new UdpFrontends();
  /** Something about UDP changed since the last reconcile that worked. */
  #isDue = false;
  #isFirst = true;

  constructor(conntrack: Conntrack) {
    this.#conntrack = conntrack;
  }

  /** To be told of every update, in order, also of those whose rules could not be written. */
  follow(update: PlanUpdate): void {
    if (this.#frontends.follow(update)) this.#isDue = true;
  }

  /**
   * To be called when the rules of all updates so far are in force, never before: a flow deleted too early comes back the old way.
   * Without `always` nothing is done unless something about UDP changed. Returns the flows deleted. Throws HostError; then the
   * next call does all of it again.
   */
  async reconcile(
    context: Pick<FlowContext, 'isRelayPort'> & { readonly node: PlanNode; readonly options: PlanOptions },
    always: boolean,
  ): Promise<number> {
    if (!always && !this.#isDue) return 0;
    const flows = await this.#conntrack.listUdp();
    const stale = staleFlows(flows, this.#frontends, { ...context, isFirst: this.#isFirst });
    const deleted = stale.length === 0 ? 0 : await this.#conntrack.deleteUdp(stale);
    this.#frontends.forgetRetired();
    this.#isDue = false;
    this.#isFirst = false;
    return deleted;
  }

  stop(): void {
    this.#conntrack.close?.();
  }
}
