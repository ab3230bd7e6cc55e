/** The proxy of one address family: its planner, its backend, and what follows its Plan. Whoever runs it feeds it objects and says when to sync. */
import type { EndpointSlice, Service } from '../api/types.ts';
import type { Family } from '../lib/ip.ts';
import type { Backend, SyncResult } from './backend.ts';
import type { FlowKeeper } from './flows/flow-keeper.ts';
import { Planner } from './plan/planner.ts';
import type { PlanFollower, PlanNode, PlanOptions, PlanProblem } from './plan/types.ts';
import { Tally } from './tally.ts';

/** The node and the options its family is planned with. */
export interface PlanContext {
  readonly node: PlanNode;
  readonly options: PlanOptions;
}

export interface FamilyProxyParts {
  readonly family: Family;
  readonly context: PlanContext;
  readonly backend: Backend;
  readonly flows: FlowKeeper;
  /** Told of every update before its rules are written; ended with the proxy. */
  readonly followers?: readonly PlanFollower[];
}

export interface FamilySync extends SyncResult {
  /** What was left out, and why: by the Plan and by the kernel. The same array as before where nothing about it changed. */
  readonly problems: readonly PlanProblem[];
}

export class FamilyProxy {
  readonly family: Family;
  readonly backend: Backend;
  readonly tally = new Tally();
  readonly #flows: FlowKeeper;
  readonly #followers: readonly PlanFollower[];
  readonly #planner: Planner;
  #context: PlanContext;

  constructor({ family, context, backend, flows, followers = [] }: FamilyProxyParts) {
    this.family = family;
    this.backend = backend;
    this.#flows = flows;
    this.#followers = [this.tally, flows, ...followers];
    this.#planner = new Planner(context.node, context.options);
    this.#context = context;
  }

  setService(service: Service, isDeleted: boolean): void {
    if (isDeleted) this.#planner.deleteService(service);
    else this.#planner.setService(service);
  }

  setSlice(slice: EndpointSlice, isDeleted: boolean): void {
    if (slice.addressType !== this.family) return;
    if (isDeleted) this.#planner.deleteSlice(slice);
    else this.#planner.setSlice(slice);
  }

  /** Makes everything planned again. */
  setContext(context: PlanContext): void {
    this.#context = context;
    this.#planner.setNode(context.node, context.options);
  }

  /** Throws HostError; what was to be written then is part of the next sync. */
  async sync(): Promise<FamilySync> {
    const update = this.#planner.update();
    try {
      for (const follower of this.#followers) follower.follow(update);
    } catch (error) {
      // whoever was not told of this update must not miss it (trap T5)
      this.#planner.startOver();
      throw error;
    }
    const result = await this.backend.sync(update);
    for (const follower of this.#followers) follower.apply?.();
    return {
      ...result,
      problems: result.refused.length > 0 ? [...update.problems, ...result.refused] : update.problems,
    };
  }

  /** Rules stay; relayed connections end. */
  async stop(): Promise<void> {
    for (const follower of this.#followers) await follower.stop?.();
    await this.backend.stop();
  }

  /** Call it after a sync that worked. Returns how many flows were forgotten. Throws HostError. */
  keepFlows(always: boolean): Promise<number> {
    const isRelayPort = (port: number) => this.backend.isRelayPort?.('UDP', port) ?? false;
    return this.#flows.reconcile({ ...this.#context, isRelayPort }, always);
  }
}
