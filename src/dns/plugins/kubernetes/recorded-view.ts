/** Writes down what was looked up: what an answer was made from, and when it no longer holds. */
import type { Dependency } from '../../plugin.ts';
import type { ClusterView } from './cluster-view.ts';

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

export function recorded(view: ClusterView, seen: Set<Dependency>): ClusterView {
  return {
    service(namespace, name) {
      seen.add(dependency.service(namespace, name));
      return view.service(namespace, name);
    },
    slicesOf(namespace, service) {
      seen.add(dependency.service(namespace, service));
      return view.slicesOf(namespace, service);
    },
    hasNamespace(name) {
      seen.add(dependency.namespace(name));
      return view.hasNamespace(name);
    },
    serviceWithAddress(address) {
      seen.add(dependency.address(address));
      return view.serviceWithAddress(address);
    },
    slicesWithAddress(address) {
      seen.add(dependency.address(address));
      return view.slicesWithAddress(address);
    },
    podsWithAddress(address) {
      seen.add(dependency.pod(address));
      return view.podsWithAddress(address);
    },
    serviceImport(namespace, name) {
      seen.add(dependency.import(namespace, name));
      return view.serviceImport(namespace, name);
    },
    importSlicesOf(namespace, service) {
      seen.add(dependency.import(namespace, service));
      return view.importSlicesOf(namespace, service);
    },
    get serial() {
      seen.add(dependency.zone);
      return view.serial;
    },
  };
}
