/** Writes down what was looked up: what an answer was made from, and when it no longer holds. */
import type { EndpointSlice, Pod, Service } from '../../../api/types.ts';
import type { Dependency } from '../../plugin.ts';
import type { ClusterView } from './cluster-view.ts';
import type { ServiceImport } from './service-import.ts';

/**
 * What the names of dependencies are. A `service` is the Service with its slices; an `import` a ServiceImport with its slices. `zone` is the
 * serial. The same names are announced by `changes.ts`.
 */
export const dependency = {
  service: (namespace: string, name: string): Dependency => `service/${namespace}/${name}`,
  import: (namespace: string, name: string): Dependency => `import/${namespace}/${name}`,
  namespace: (name: string): Dependency => `namespace/${name}`,
  address: (address: string): Dependency => `address/${address}`,
  pod: (address: string): Dependency => `pod/${address}`,
  zone: 'zone',
} as const;

/** Every look-up is added to `seen`. */
export class RecordedView implements ClusterView {
  readonly seen: Set<Dependency> = new Set();
  readonly #view: ClusterView;

  constructor(view: ClusterView) {
    this.#view = view;
  }

  service(namespace: string, name: string): Service | undefined {
    this.seen.add(dependency.service(namespace, name));
    return this.#view.service(namespace, name);
  }

  slicesOf(namespace: string, service: string): readonly EndpointSlice[] {
    this.seen.add(dependency.service(namespace, service));
    return this.#view.slicesOf(namespace, service);
  }

  hasNamespace(name: string): boolean {
    this.seen.add(dependency.namespace(name));
    return this.#view.hasNamespace(name);
  }

  serviceWithAddress(address: string): Service | undefined {
    this.seen.add(dependency.address(address));
    return this.#view.serviceWithAddress(address);
  }

  slicesWithAddress(address: string): readonly EndpointSlice[] {
    this.seen.add(dependency.address(address));
    return this.#view.slicesWithAddress(address);
  }

  podsWithAddress(address: string): readonly Pod[] {
    this.seen.add(dependency.pod(address));
    return this.#view.podsWithAddress(address);
  }

  serviceImport(namespace: string, name: string): ServiceImport | undefined {
    this.seen.add(dependency.import(namespace, name));
    return this.#view.serviceImport(namespace, name);
  }

  importSlicesOf(namespace: string, service: string): readonly EndpointSlice[] {
    this.seen.add(dependency.import(namespace, service));
    return this.#view.importSlicesOf(namespace, service);
  }

  get serial(): number {
    this.seen.add(dependency.zone);
    return this.#view.serial;
  }
}
