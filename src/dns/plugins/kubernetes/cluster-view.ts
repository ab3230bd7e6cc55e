/** What answers are made from: the Services, EndpointSlices and Namespaces of the cluster, as answers look for them. */
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from '../../../api/kinds.ts';
import type { EndpointSlice, Namespace, Service } from '../../../api/types.ts';
import type { Client, Informer } from '../../../client/client.ts';
import { startInformer } from '../../../client/informer.ts';
import { formatIp, parseIp } from '../../../lib/ip.ts';
import type { Log } from '../../../lib/log.ts';
import { endpointsOf } from './service-endpoints.ts';

export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  slicesOf(namespace: string, service: string): readonly EndpointSlice[];
  hasNamespace(name: string): boolean;
  /** @param address in its canonical spelling */
  serviceWithAddress(address: string): Service | undefined;
  /** @param address in its canonical spelling */
  slicesWithAddress(address: string): readonly EndpointSlice[];
  /** Grows when something changes: the serial of the zone. */
  readonly serial: number;
}

const SERVICE_NAME = 'kubernetes.io/service-name';

/** The Service's addresses, canonical; none for a headless one. */
export function clusterIpsOf({ spec }: Service): string[] {
  const all = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''];
  return all.flatMap(canonical);
}

export const serviceNameOf = ({ metadata }: EndpointSlice): string => metadata.labels?.[SERVICE_NAME] ?? '';

function canonical(address: string): string[] {
  const ip = parseIp(address);
  return ip ? [formatIp(ip)] : [];
}

const serviceKey = (slice: EndpointSlice): string[] => {
  const name = serviceNameOf(slice);
  return name === '' ? [] : [`${slice.metadata.namespace ?? ''}/${name}`];
};

const addressesOf = (slice: EndpointSlice): string[] => [
  ...new Set(
    endpointsOf(slice)
      .flatMap(({ addresses }) => addresses)
      .flatMap(canonical),
  ),
];

export interface WatchedCluster extends ClusterView {
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  stop(): void;
}

/** Kept up to date by watches. The indexes hold references only: nothing is copied out of the objects. */
export function watchCluster(client: Client, log: Log, now: () => number): WatchedCluster {
  const services = startInformer(client, SERVICES, { indexes: { address: clusterIpsOf } }, log);
  const slices = startInformer(
    client,
    ENDPOINT_SLICES,
    { indexes: { service: serviceKey, address: addressesOf } },
    log,
  );
  const namespaces = startInformer(client, NAMESPACES, {}, log);
  const informers = [services, slices, namespaces] as const;
  let changedAt = now();
  const touch = () => {
    changedAt = now();
  };
  services.onChange(touch);
  slices.onChange(touch);
  return {
    ...viewOf(services, slices, namespaces),
    get serial() {
      return Math.floor(changedAt / 1000) >>> 0;
    },
    synced: Promise.all(informers.map((informer) => informer.synced)).then(() => undefined),
    get hasSynced() {
      return informers.every((informer) => informer.hasSynced);
    },
    stop() {
      for (const informer of informers) informer.stop();
    },
  };
}

function viewOf(
  services: Informer<Service>,
  slices: Informer<EndpointSlice>,
  namespaces: Informer<Namespace>,
): Omit<ClusterView, 'serial'> {
  return {
    service: (namespace, name) => services.get(name, namespace),
    slicesOf: (namespace, service) => slices.byIndex('service', `${namespace}/${service}`),
    hasNamespace: (name) => namespaces.get(name) !== undefined,
    serviceWithAddress: (address) => services.byIndex('address', address)[0],
    slicesWithAddress: (address) => slices.byIndex('address', address),
  };
}

/** A view of objects that never change: for tests and for `fairway doctor`. */
export function fixedView(objects: {
  readonly services?: readonly Service[];
  readonly slices?: readonly EndpointSlice[];
  readonly namespaces?: readonly string[];
}): ClusterView {
  const { services = [], slices = [], namespaces = [] } = objects;
  return {
    service: (namespace, name) =>
      services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
    slicesOf: (namespace, service) => slices.filter((slice) => serviceKey(slice)[0] === `${namespace}/${service}`),
    hasNamespace: (name) => namespaces.includes(name),
    serviceWithAddress: (address) => services.find((service) => clusterIpsOf(service).includes(address)),
    slicesWithAddress: (address) => slices.filter((slice) => addressesOf(slice).includes(address)),
    serial: 1,
  };
}
