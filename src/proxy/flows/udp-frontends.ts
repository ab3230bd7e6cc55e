/** Where UDP clients knock, and who may answer them: followed change by change, so that a sync without UDP costs nothing (3-136). */
import { joinHostPort } from '../../lib/ip.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';

/** Where flows cannot be deleted for long these pile up; clients of the oldest have long gone. */
const MOST_RETIRED = 100_000;

export class UdpFrontends {
  /** `ip:port` or `*:nodePort` -> the port behind it. */
  readonly #ports = new Map<string, { readonly port: ServicePort; readonly serving: ReadonlySet<string> }>();
  /** Frontends gone since `forgetRetired`. */
  readonly #retired = new Set<string>();

  /** True when something about UDP changed. */
  follow(update: PlanUpdate): boolean {
    if (update.changed === undefined) {
      const before = new Set([...this.#ports.values()].map((one) => one.port));
      return this.#replace([...before], update.plan.servicePorts);
    }
    let isChanged = false;
    for (const { before, after } of update.changed.values()) isChanged = this.#replace(before, after) || isChanged;
    return isChanged;
  }

  get size(): number {
    return this.#ports.size;
  }

  /** `ip:port` of the endpoints that serve behind a frontend, an empty set if nobody does; undefined: no frontend. */
  serving(frontend: string): ReadonlySet<string> | undefined {
    return this.#ports.get(frontend)?.serving;
  }

  isRetired(frontend: string): boolean {
    return this.#retired.has(frontend) && !this.#ports.has(frontend);
  }

  forgetRetired(): void {
    this.#retired.clear();
  }

  #retire(frontend: string): void {
    this.#retired.delete(frontend); // to be the newest
    this.#retired.add(frontend);
    const [oldest] = this.#retired;
    if (this.#retired.size > MOST_RETIRED && oldest !== undefined) this.#retired.delete(oldest);
  }

  #replace(before: readonly ServicePort[], after: readonly ServicePort[]): boolean {
    let isChanged = false;
    for (const port of before) {
      if (port.protocol !== 'UDP') continue;
      isChanged = true;
      for (const frontend of frontendsOf(port)) {
        if (this.#ports.get(frontend)?.port !== port) continue;
        this.#ports.delete(frontend);
        this.#retire(frontend);
      }
    }
    for (const port of after) {
      if (port.protocol !== 'UDP') continue;
      isChanged = true;
      const entry = { port, serving: new Set(port.servingAddresses) };
      for (const frontend of frontendsOf(port)) this.#ports.set(frontend, entry);
    }
    return isChanged;
  }
}

export function frontendsOf(service: ServicePort): readonly string[] {
  const addresses = [service.clusterIP, ...service.externalIPs, ...service.loadBalancerIPs];
  const frontends = addresses.map((ip) => joinHostPort(ip, service.port));
  return service.nodePort === undefined ? frontends : [...frontends, `*:${String(service.nodePort)}`];
}
