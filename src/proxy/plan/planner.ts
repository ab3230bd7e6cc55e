/**
 * Services and EndpointSlices as they come and go -> the Plan, at a cost that follows what changed: only Services that were touched
 * are planned again, and whoever reads `changed` never looks at the others.
 */
import type { EndpointSlice, Service } from '../../api/types.ts';
import { nodePortsOf } from './node-ports.ts';
import { compareText } from './order.ts';
import { planService, type PlannedService } from './service-ports.ts';
import { ServiceObjects } from './service-objects.ts';
import type { Plan, PlanNode, PlanOptions, PlanProblem, PlanUpdate, ServiceChange, ServicePort } from './types.ts';

const NOTHING: PlannedService = { ports: [], problems: [] };

export class Planner {
  readonly #objects = new ServiceObjects();
  readonly #planned = new Map<string, PlannedService>();
  readonly #problems = new Map<string, readonly PlanProblem[]>();
  /** All of them; undefined: to be put together. */
  #problemList: readonly PlanProblem[] | undefined;
  #order: readonly string[] | undefined;
  #node: PlanNode;
  #options: PlanOptions;
  /** No update was made yet, or the node is another. */
  #isNew = true;

  constructor(node: PlanNode, options: PlanOptions) {
    this.#node = node;
    this.#options = options;
  }

  setService(service: Service): void {
    this.#objects.setService(service);
  }

  deleteService(service: Service): void {
    this.#objects.deleteService(service);
  }

  setSlice(slice: EndpointSlice): void {
    this.#objects.setSlice(slice);
  }

  deleteSlice(slice: EndpointSlice): void {
    this.#objects.deleteSlice(slice);
  }

  /** Another node (new labels) makes everything planned again; the same object changes nothing. */
  setNode(node: PlanNode, options: PlanOptions): void {
    if (node === this.#node && options === this.#options) return;
    this.#node = node;
    this.#options = options;
    this.#isNew = true;
  }

  /** Makes everything planned again, and the next update a whole one. */
  startOver(): void {
    this.#isNew = true;
  }

  /** Plans what was touched since the last call. */
  update(): PlanUpdate {
    if (this.#isNew) this.#objects.touchAll();
    const changed = new Map<string, ServiceChange>();
    for (const key of this.#objects.takeTouched()) {
      const before = this.#planned.get(key);
      const after = this.#planOne(key);
      if (after.ports.length + after.problems.length > 0) this.#planned.set(key, after);
      else this.#planned.delete(key);
      if (before === undefined || !this.#planned.has(key)) this.#order = undefined;
      this.#note(key, after.problems);
      changed.set(key, { before: before?.ports ?? [], after: after.ports });
    }
    const isNew = this.#isNew;
    this.#isNew = false;
    return this.#updateOf(isNew ? undefined : changed);
  }

  #note(key: string, problems: readonly PlanProblem[]): void {
    const known = this.#problems.get(key) ?? [];
    if (known.length === problems.length && known.every((one, at) => one.message === problems[at]?.message)) return;
    this.#problemList = undefined;
    if (problems.length > 0) this.#problems.set(key, problems);
    else this.#problems.delete(key);
  }

  #planOne(key: string): PlannedService {
    const service = this.#objects.service(key);
    if (!service) return NOTHING;
    try {
      return planService(service, this.#objects.slicesOf(key), this.#node, this.#options);
    } catch (error) {
      // an object of a shape nobody foresaw must not stop the proxy for all others
      const { name, namespace = '' } = service.metadata;
      const message = `cannot be planned: ${error instanceof Error ? error.message : String(error)}`;
      return { ports: [], problems: [{ namespace, service: name, message }] };
    }
  }

  #updateOf(changed: PlanUpdate['changed']): PlanUpdate {
    let made: Plan | undefined;
    const snapshot = () => (made ??= this.#snapshot());
    return {
      get plan() {
        return snapshot();
      },
      changed,
      problems: (this.#problemList ??= [...this.#problems.values()].flat()),
    };
  }

  #snapshot(): Plan {
    this.#order ??= [...this.#planned.keys()].sort(byPortName);
    const servicePorts: ServicePort[] = [];
    const problems: PlanProblem[] = [];
    for (const key of this.#order) {
      const planned = this.#planned.get(key) ?? NOTHING;
      servicePorts.push(...planned.ports);
      problems.push(...planned.problems);
    }
    return {
      options: this.#options,
      node: this.#node,
      ...nodePortsOf(this.#node, this.#options),
      servicePorts,
      problems,
    };
  }
}

/** As the names of their ports sort, which are `namespace/service:port`. */
const byPortName = (a: string, b: string): number => compareText(`${a}:`, `${b}:`);
