/** The proxy of one address family: its planner, its backend, and what follows its Plan. The shell feeds it objects and says when to sync. */
import type { EndpointSlice, Service } from '../api/types.ts';
import type { Family } from '../lib/ip.ts';
import type { Backend, SyncResult } from './backend.ts';
import type { FlowKeeper } from './flow-keeper.ts';
import { Planner } from './plan/planner.ts';
import type { PlanFollower, PlanNode, PlanOptions, PlanProblem } from './plan/types.ts';
import { Tally } from './tally.ts';

export interface FamilyProxyParts {
  readonly family: Family;
  readonly node: PlanNode;
  readonly options: PlanOptions;
  readonly backend: Backend;
  readonly flows: FlowKeeper;
  /** Ended with the proxy; told of updates through `followers`. */
  readonly loopback: { stop(): void };
  /** Told of every update before its rules are written. */
  readonly followers?: readonly PlanFollower[];
}

export interface FamilySync extends SyncResult {
  /** What was left out, and why: by the Plan and by the kernel. */
  readonly problems: readonly PlanProblem[];
}

export class FamilyProxy {
  readonly family: Family;
  readonly backend: Backend;
  readonly tally = new Tally();
  readonly #flows: FlowKeeper;
  readonly #loopback: { stop(): void };
  readonly #followers: readonly PlanFollower[];
  readonly #planner: Planner;
  #context: { node: PlanNode; options: PlanOptions };

  constructor({ family, node, options, backend, flows, loopback, followers = [] }: FamilyProxyParts) {
    this.family = family;
    this.backend = backend;
    this.#flows = flows;
    this.#loopback = loopback;
    this.#followers = [this.tally, flows, ...followers];
    this.#planner = new Planner(node, options);
    this.#context = { node, options };
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

  /** The same objects as before change nothing; others make everything planned again. */
  setContext(node: PlanNode, options: PlanOptions): void {
    this.#context = { node, options };
    this.#planner.setNode(node, options);
  }

  /** Throws HostError; what was to be written then is part of the next sync. */
  async sync(): Promise<FamilySync> {
    const update = this.#planner.update();
    for (const follower of this.#followers) follower.follow(update);
    const result = await this.backend.sync(update);
    return { ...result, problems: [...update.problems, ...result.refused] };
  }

  /** Rules stay; relayed connections end. */
  async stop(): Promise<void> {
    this.#loopback.stop();
    await this.backend.stop();
  }

  /** Call it after a sync that worked. Returns how many flows were forgotten. Throws HostError. */
  keepFlows(always: boolean): Promise<number> {
    const isRelayPort = (port: number) => this.backend.isRelayPort?.('UDP', port) ?? false;
    return this.#flows.reconcile({ ...this.#context, isRelayPort }, always);
  }
}
