/** Where UDP clients knock, and who may answer them: followed change by change, so that a sync without UDP costs nothing (3-136). */
import { joinHostPort } from '../../lib/ip.ts';
import { compareText } from '../plan/order.ts';
import type { PlanUpdate, ServicePort } from '../plan/types.ts';

/** Where flows cannot be deleted for long these pile up; clients of the oldest have long gone. */
const MOST_RETIRED = 100_000;

interface Claim {
  readonly port: ServicePort;
  readonly serving: ReadonlySet<string>;
}

export class UdpFrontends {
  /** `ip:port` or `*:nodePort` -> who claims it, in the order of the Plan: the rules are those of the first. Never empty. */
  readonly #claims = new Map<string, readonly Claim[]>();
  /** Frontends gone since `forgetRetired`. */
  readonly #retired = new Set<string>();

  /** True when something about UDP changed. */
  follow(update: PlanUpdate): boolean {
    if (update.changed === undefined) {
      const before = new Set([...this.#claims.values()].flat().map((one) => one.port));
      return this.#replace([...before], update.plan.servicePorts);
    }
    let isChanged = false;
    for (const { before, after } of update.changed.values()) isChanged = this.#replace(before, after) || isChanged;
    return isChanged;
  }

  get size(): number {
    return this.#claims.size;
  }

  /** `ip:port` of the endpoints that serve behind a frontend, an empty set if nobody does; undefined: no frontend. */
  serving(frontend: string): ReadonlySet<string> | undefined {
    return this.#claims.get(frontend)?.[0]?.serving;
  }

  isRetired(frontend: string): boolean {
    return this.#retired.has(frontend) && !this.#claims.has(frontend);
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

  #claim(frontend: string, claim: Claim): void {
    const others = this.#claims.get(frontend);
    // sorting keeps the order of ports of one Service
    const byName = (a: Claim, b: Claim) => compareText(nameOf(a.port), nameOf(b.port));
    this.#claims.set(frontend, others ? [...others, claim].sort(byName) : [claim]);
  }

  #replace(before: readonly ServicePort[], after: readonly ServicePort[]): boolean {
    let isChanged = false;
    for (const port of before) {
      if (port.protocol !== 'UDP') continue;
      isChanged = true;
      for (const frontend of frontendsOf(port)) {
        const claims = this.#claims.get(frontend) ?? [];
        const left = claims.filter((one) => one.port !== port);
        if (left.length > 0) this.#claims.set(frontend, left);
        else if (this.#claims.delete(frontend)) this.#retire(frontend);
      }
    }
    for (const port of after) {
      if (port.protocol !== 'UDP') continue;
      isChanged = true;
      const claim = { port, serving: new Set(port.servingAddresses) };
      for (const frontend of new Set(frontendsOf(port))) this.#claim(frontend, claim);
    }
    return isChanged;
  }
}

const nameOf = ({ namespace, service }: ServicePort): string => `${namespace}/${service}:`;

export function frontendsOf(service: ServicePort): readonly string[] {
  const addresses = [service.clusterIP, ...service.externalIPs, ...service.loadBalancerIPs];
  const frontends = addresses.map((ip) => joinHostPort(ip, service.port));
  return service.nodePort === undefined ? frontends : [...frontends, `*:${String(service.nodePort)}`];
}
