/** Which answers a change of the cluster may make untrue, by the names that `recorded-view.ts` gives. Pure. */
import type { EndpointSlice, KubeObject, Namespace, Pod, Service } from '../../../api/types.ts';
import type { Change } from '../../../client/client.ts';
import type { Dependency } from '../../plugin.ts';
import { addressesOf, clusterIpsOf, importKeysOf, podAddressesOf, serviceKeysOf } from './cluster-view.ts';
import { dependency } from './recorded-view.ts';
import { canonicalAddress, endpointsOf, isReady } from './service-endpoints.ts';
import type { ServiceImport } from './service-import.ts';

const versionsOf = <T extends KubeObject>(change: Change<T>): readonly T[] =>
  change.type === 'updated' ? [change.old, change.object] : [change.object];

const unique = (list: readonly Dependency[]): Dependency[] => [...new Set(list)];

export function changedByService(change: Change<Service>): Dependency[] {
  const { name, namespace = '' } = change.object.metadata;
  const addresses = versionsOf(change).flatMap(clusterIpsOf).map(dependency.address);
  return unique([dependency.service(namespace, name), ...addresses, dependency.zone]);
}

export function changedByImport({ object }: Change<ServiceImport>): Dependency[] {
  return [dependency.import(object.metadata.namespace ?? '', object.metadata.name), dependency.zone];
}

export function changedByNamespace({ type, object }: Change<Namespace>): Dependency[] {
  return type === 'updated' ? [] : [dependency.namespace(object.metadata.name)];
}

export function changedByPod(change: Change<Pod>): Dependency[] {
  return unique(versionsOf(change).flatMap(podAddressesOf).map(dependency.pod));
}

export function changedBySlice(change: Change<EndpointSlice>): Dependency[] {
  const versions = versionsOf(change);
  const owners = versions.flatMap((slice) => [
    ...serviceKeysOf(slice).map((key) => `service/${key}`),
    ...importKeysOf(slice).map((key) => `import/${key}`),
  ]);
  const [first, second] = versions;
  const addresses = second && first ? movedAddresses(first, second) : versions.flatMap(addressesOf);
  return unique([...owners, ...addresses.map(dependency.address), dependency.zone]);
}

/** Addresses that have another name now: most slices change by one endpoint of many. */
function movedAddresses(before: EndpointSlice, after: EndpointSlice): string[] {
  const [old, now] = [namesByAddress(before), namesByAddress(after)];
  const all = new Set([...old.keys(), ...now.keys()]);
  return [...all].filter((address) => old.get(address) !== now.get(address));
}

/** All that the PTR record of an address is made from. */
function namesByAddress(slice: EndpointSlice): Map<string, string> {
  const names = new Map<string, string>();
  const [service = ''] = serviceKeysOf(slice);
  for (const endpoint of endpointsOf(slice)) {
    const name = `${service} ${String(isReady(endpoint))} ${endpoint.hostname ?? ''} ${endpoint.targetRef?.name ?? ''}`;
    for (const text of endpoint.addresses) {
      const address = canonicalAddress(text);
      if (address !== undefined) names.set(address, `${names.get(address) ?? ''}|${name}`);
    }
  }
  return names;
}
