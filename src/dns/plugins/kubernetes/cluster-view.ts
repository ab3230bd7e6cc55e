/** What answers are made from: the cluster as answers look for it. Every look-up is one of a map. */
import type { EndpointSlice, Pod, Service } from '../../../api/types.ts';
import { canonicalAddress, endpointsOf } from './service-endpoints.ts';
import type { ServiceImport } from './service-import.ts';

export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  slicesOf(namespace: string, service: string): readonly EndpointSlice[];
  /** There, and not hidden by `namespace_labels`. */
  hasNamespace(name: string): boolean;
  /** @param address in its canonical spelling */
  serviceWithAddress(address: string): Service | undefined;
  /** @param address in its canonical spelling */
  slicesWithAddress(address: string): readonly EndpointSlice[];
  /** Pods that run, with `pods verified`; none otherwise. @param address in its canonical spelling */
  podsWithAddress(address: string): readonly Pod[];
  serviceImport(namespace: string, name: string): ServiceImport | undefined;
  /** Of all clusters of the clusterset. */
  importSlicesOf(namespace: string, service: string): readonly EndpointSlice[];
  /** Grows when something changes: the serial of the zone. */
  readonly serial: number;
}

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const IMPORT_NAME = 'multicluster.kubernetes.io/service-name';

/** The Service's addresses, canonical; none for a headless one or an alias. */
export function clusterIpsOf({ spec }: Service): string[] {
  if (spec.type === 'ExternalName') return [];
  const all = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''];
  return all.flatMap((address) => canonicalAddress(address) ?? []);
}

export const serviceNameOf = ({ metadata }: EndpointSlice): string => metadata.labels?.[SERVICE_NAME] ?? '';
const importNameOf = ({ metadata }: EndpointSlice): string => metadata.labels?.[IMPORT_NAME] ?? '';

const keyIn = (slice: EndpointSlice, name: string): string[] =>
  name === '' ? [] : [`${slice.metadata.namespace ?? ''}/${name}`];

/** What slices are found by. `NAMESPACE/NAME` of the Service, and of the import. */
export const serviceKeysOf = (slice: EndpointSlice): string[] => keyIn(slice, serviceNameOf(slice));
export const importKeysOf = (slice: EndpointSlice): string[] => keyIn(slice, importNameOf(slice));

/** Of a slice of a Service in this cluster; others' are no names here. */
export function addressesOf(slice: EndpointSlice): string[] {
  if (serviceNameOf(slice) === '') return [];
  const all = endpointsOf(slice).flatMap(({ addresses }) => addresses);
  return [...new Set(all.flatMap((address) => canonicalAddress(address) ?? []))];
}

/** All of a Pod's addresses, canonical. */
export function podAddressesOf({ status }: Pod): string[] {
  const all = [status?.podIP ?? '', ...(status?.podIPs ?? []).map(({ ip }) => ip ?? '')];
  return [...new Set(all.flatMap((address) => canonicalAddress(address) ?? []))];
}

/** A view of objects that never change: for tests, and for explaining an answer without a server. */
export function fixedView(objects: {
  readonly services?: readonly Service[];
  readonly slices?: readonly EndpointSlice[];
  readonly namespaces?: readonly string[];
  readonly pods?: readonly Pod[];
  readonly imports?: readonly ServiceImport[];
}): ClusterView {
  const { services = [], slices = [], namespaces = [], pods = [], imports = [] } = objects;
  const key = ({ metadata }: Service | ServiceImport) => [`${metadata.namespace ?? ''}/${metadata.name}`];
  const servicesByName = grouped(services, key);
  const servicesByAddress = grouped(services, clusterIpsOf);
  const slicesByService = grouped(slices, serviceKeysOf);
  const slicesByAddress = grouped(slices, addressesOf);
  const slicesByImport = grouped(slices, importKeysOf);
  const podsByAddress = grouped(pods, podAddressesOf);
  const importsByName = grouped(imports, key);
  return {
    service: (namespace, name) => servicesByName.get(`${namespace}/${name}`)?.[0],
    slicesOf: (namespace, service) => slicesByService.get(`${namespace}/${service}`) ?? [],
    hasNamespace: (name) => namespaces.includes(name),
    serviceWithAddress: (address) => servicesByAddress.get(address)?.[0],
    slicesWithAddress: (address) => slicesByAddress.get(address) ?? [],
    podsWithAddress: (address) => podsByAddress.get(address) ?? [],
    serviceImport: (namespace, name) => importsByName.get(`${namespace}/${name}`)?.[0],
    importSlicesOf: (namespace, service) => slicesByImport.get(`${namespace}/${service}`) ?? [],
    serial: 1,
  };
}

function grouped<T>(list: readonly T[], keysOf: (each: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of list) {
    for (const key of keysOf(each)) groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return groups;
}
