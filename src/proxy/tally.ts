/** Counts that dashboards ask of a whole Plan, kept change by change (3-148). */
import type { PlanFollower, PlanUpdate, ServicePort } from './plan/types.ts';

export class Tally implements PlanFollower {
  /** Service ports whose policy is Local and that have no endpoint here, by policy. */
  noLocalEndpoints = { internal: 0, external: 0 };

  follow(update: PlanUpdate): void {
    if (update.changed === undefined) {
      this.noLocalEndpoints = { internal: 0, external: 0 };
      this.#add(update.plan.servicePorts, 1);
      return;
    }
    for (const { before, after } of update.changed.values()) {
      this.#add(before, -1);
      this.#add(after, 1);
    }
  }

  #add(ports: readonly ServicePort[], sign: 1 | -1): void {
    for (const { internalRoute, externalRoute } of ports) {
      if (internalRoute === 'DROP') this.noLocalEndpoints.internal += sign;
      if (externalRoute === 'DROP') this.noLocalEndpoints.external += sign;
    }
  }
}
