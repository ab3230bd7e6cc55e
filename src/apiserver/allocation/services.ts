/**
 * What a write to a Service takes and gives back: cluster IPs, node ports, the health check port (features 1-023, 1-027, 1-047,
 * 1-048, 1-064, 1-065, 1-077, 1-104, 1-107 to 1-109). Everything goes into the commit of the Service itself.
 */
import type { ApiError } from '../../api/api-error.ts';
import { internalError, invalidObject } from '../../api/api-error.ts';
import { invalid, type FieldError } from '../../api/field-error.ts';
import { ENDPOINTS, SERVICES, type Kind } from '../../api/kinds.ts';
import { isHeadless, needsClusterIp, needsHealthCheckNodePort, needsNodePorts } from '../../api/service-changes.ts';
import { initIpFamilies } from '../../api/service-families.ts';
import type { KubeObject, Service } from '../../api/types.ts';
import type { Family } from '../../lib/ip.ts';
import type { Operation } from '../../store/store.ts';
import { noSideEffects, type SideEffects, type WriteHooks } from '../core.ts';
import { keyOf } from '../keys.ts';
import { AllocationError, type ClusterIps } from './cluster-ips.ts';
import { portOperations } from './node-port-claims.ts';
import { nodePortsOf, type NodePorts } from './node-ports.ts';

export class ServiceAllocation implements WriteHooks {
  readonly #ips: ClusterIps;
  readonly #ports: NodePorts;

  readonly #seen: (revision: number) => Promise<void>;
  readonly #claimsPorts: boolean;

  /**
   * `seen` resolves when the cache has taken in a revision; it may reject, which counts as long ago.
   * `claimsPorts`: other servers share out node ports in the same store.
   */
  constructor(ips: ClusterIps, ports: NodePorts, seen: (revision: number) => Promise<void>, claimsPorts = false) {
    this.#ips = ips;
    this.#claimsPorts = claimsPorts;
    this.#ports = ports;
    this.#seen = (revision) => seen(revision).catch(() => undefined);
  }

  onCreate(kind: Kind, object: KubeObject, dryRun: boolean): SideEffects {
    return kind === SERVICES ? this.#write(object as Service, undefined, dryRun) : noSideEffects;
  }

  onUpdate(kind: Kind, object: KubeObject, old: KubeObject, dryRun: boolean): SideEffects {
    return kind === SERVICES ? this.#write(object as Service, old as Service, dryRun) : noSideEffects;
  }

  onDelete(kind: Kind, old: KubeObject): SideEffects {
    if (kind !== SERVICES) return noSideEffects;
    const service = old as Service;
    const endpoints = keyOf(ENDPOINTS, service.metadata.namespace, service.metadata.name);
    const operations: Operation[] = clusterIpsOf(service).map((address) => this.#ips.release(address));
    if (this.#claimsPorts) operations.push(...portOperations(service, undefined));
    return { operations: [...operations, { type: 'delete', key: endpoints }], settle: () => undefined };
  }

  /** Fills `service` in place. Throws Invalid (422) or InternalError (500), with nothing taken. */
  #write(service: Service, old: Service | undefined, dryRun: boolean): SideEffects {
    const before = old && needsClusterIp(old) ? old : undefined;
    const errors = initIpFamilies(service, before, this.#ips.families);
    if (errors.length > 0) throw invalidObject(SERVICES, service.metadata.name, errors);
    const taken = new Taken(this.#ips, this.#ports, dryRun);
    try {
      const held = old ? clusterIpsOf(old) : [];
      this.#assignAddresses(service, held, taken);
      this.#assignPorts(service, old, taken);
      const wanted = clusterIpsOf(service);
      const operations = [
        ...wanted.filter((each) => !held.includes(each)).map((each) => this.#ips.claim(each, service)),
        ...held.filter((each) => !wanted.includes(each)).map((each) => this.#ips.release(each)),
        ...(this.#claimsPorts ? portOperations(old, service) : []),
      ];
      return {
        operations,
        // Until the cache has taken the commit in, only the reservation keeps others off the same numbers.
        settle: (revision) => {
          if (revision === undefined) taken.settle();
          else void this.#seen(revision).finally(() => taken.settle());
        },
      };
    } catch (error) {
      taken.settle();
      throw error;
    }
  }

  #assignAddresses(service: Service, held: readonly string[], taken: Taken): void {
    const { spec } = service;
    if (!needsClusterIp(service)) return;
    if (isHeadless(service)) {
      spec.clusterIP = 'None';
      spec.clusterIPs = ['None'];
      return;
    }
    const asked = spec.clusterIPs ?? [];
    spec.clusterIPs = (spec.ipFamilies as Family[]).map((family, index) => {
      const wanted = asked[index] === '' ? undefined : asked[index];
      if (wanted !== undefined && held.includes(wanted)) return wanted;
      return this.#explain(service, 'spec.clusterIPs', asked, () => taken.address(family, wanted));
    });
    const [first] = spec.clusterIPs;
    if (first !== undefined) spec.clusterIP = first;
  }

  #assignPorts(service: Service, old: Service | undefined, taken: Taken): void {
    const { spec } = service;
    const held = old ? nodePortsOf(old) : new Set<number>();
    // Numbers of this Service: one may serve two protocols of it (feature 1-065).
    const own = new Set<number>();
    const take = (port: number, field: string): number => {
      if (port !== 0 && (own.has(port) || held.has(port))) return port;
      return this.#explain(service, field, port, () => taken.port(port));
    };
    if (needsNodePorts(service)) {
      const always = spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
      const ports = spec.ports ?? [];
      // Explicit numbers first, so that none is given away to a port that takes any.
      for (const [index, port] of ports.entries()) {
        if (port.nodePort) own.add(take(port.nodePort, `spec.ports[${String(index)}].nodePort`));
      }
      for (const [index, port] of ports.entries()) {
        if (port.nodePort || !always) continue;
        const sibling = old
          ? undefined
          : ports.find((each) => each !== port && each.port === port.port && each.nodePort);
        port.nodePort = sibling?.nodePort ?? take(0, `spec.ports[${String(index)}].nodePort`);
        own.add(port.nodePort);
      }
    }
    if (needsHealthCheckNodePort(service)) {
      const asked = spec.healthCheckNodePort ?? 0;
      const kept = held.has(asked) && !own.has(asked);
      spec.healthCheckNodePort = kept ? asked : healthCheckPort(taken, asked);
    }
  }

  #explain<T>(service: Service, field: string, value: unknown, allocate: () => T): T {
    try {
      return allocate();
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      throw error.full ? exhausted(service, field) : this.#invalid(service, invalid(field, value, error.message));
    }
  }

  #invalid(service: Service, error: FieldError): ApiError {
    return invalidObject(SERVICES, service.metadata.name, [error]);
  }
}

function exhausted(service: Service, field: string): ApiError {
  if (field === 'spec.clusterIPs') {
    const name = `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
    return internalError(`failed to allocate a serviceIP for Service ${name}: range is full`);
  }
  return internalError('failed to allocate a nodePort: range is full');
}

/** Kubernetes answers 500 here, also for a number somebody else holds. */
function healthCheckPort(taken: Taken, asked: number): number {
  try {
    return taken.port(asked);
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    const what = asked === 0 ? 'a HealthCheck NodePort' : 'requested HealthCheck NodePort';
    throw internalError(`failed to allocate ${what} ${String(asked)}: ${error.message}`);
  }
}

function clusterIpsOf(service: Service): string[] {
  if (!needsClusterIp(service) || isHeadless(service)) return [];
  return (service.spec.clusterIPs ?? [service.spec.clusterIP ?? '']).filter((each) => each !== '');
}

/** What this write has reserved until its commit has been tried. */
class Taken {
  readonly #ips: ClusterIps;
  readonly #ports: NodePorts;
  readonly #dryRun: boolean;
  readonly #addresses = new Set<string>();
  readonly #numbers = new Set<number>();

  constructor(ips: ClusterIps, ports: NodePorts, dryRun: boolean) {
    this.#ips = ips;
    this.#ports = ports;
    this.#dryRun = dryRun;
  }

  address(family: Family, asked: string | undefined): string {
    if (this.#dryRun) return this.#ips.dryAllocate(family, asked);
    const address = this.#ips.allocate(family, asked);
    this.#addresses.add(address);
    return address;
  }

  port(asked: number): number {
    const port = this.#ports.allocate(asked);
    this.#numbers.add(port);
    return port;
  }

  settle(): void {
    this.#ips.settle(this.#addresses);
    this.#ports.settle(this.#numbers);
  }
}
