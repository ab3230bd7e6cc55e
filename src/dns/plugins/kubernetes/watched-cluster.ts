/** The cluster as watches keep it up to date. The indexes hold references only: nothing is copied out of the objects. */
import { ENDPOINT_SLICES, NAMESPACES, NODES, PODS, SERVICES } from '../../../api/kinds.ts';
import type { Node } from '../../../api/types.ts';
import type { Change, ListOptions } from '../../../client/client.ts';
import type { Dependency, Runtime } from '../../plugin.ts';
import { zoneOf } from './asker-zone.ts';
import { changedByImport, changedByNamespace, changedByPod, changedByService, changedBySlice } from './changes.ts';
import {
  addressesOf,
  clusterIpsOf,
  importKeysOf,
  podAddressesOf,
  serviceKeysOf,
  type ClusterView,
} from './cluster-view.ts';
import type { ConnectionSource } from './connection.ts';
import { programmingDuration } from './programming-duration.ts';
import { SERVICE_IMPORTS } from './service-import.ts';
import { Slimmer } from './slim.ts';
import { Watches } from './watches.ts';
import type { Zone } from './zones.ts';

/** What is asked of the API server: no more than the Corefile needs. */
export interface Selection {
  /** Label selectors, passed on as they are (feature 4-036). */
  readonly labels?: string;
  readonly namespaceLabels?: string;
  readonly endpoints: boolean;
  /** Whether endpoints are called as their Pods. */
  readonly podNames: boolean;
  readonly pods: boolean;
  readonly imports: boolean;
  /** For zones: all Nodes where Pods are known, or else the one called so. */
  readonly nodes?: 'all' | { readonly name: string };
}

export interface WatchedCluster extends ClusterView {
  /** Never rejects. */
  readonly synced: Promise<void>;
  /** All that names in such a zone are answered from has been listed (feature 4-023). */
  hasSynced(kind: Zone['kind']): boolean;
  /** Lower case; undefined where it is not known. */
  zoneOfNode(name: string): string | undefined;
  stop(): void;
}

export function watchCluster(runtime: Runtime, source: ConnectionSource, selection: Selection): WatchedCluster {
  const watches = new Watches(runtime, source);
  const services = watchServices(watches, selection);
  const slices = selection.endpoints ? watchSlices(watches, selection, runtime.clock.now()) : undefined;
  const namespaces = watchNamespaces(watches, selection);
  const pods = selection.pods ? watchPods(watches, selection) : undefined;
  const imports = selection.imports
    ? watches.open(SERVICE_IMPORTS, changedByImport, labelled(selection.labels))
    : undefined;
  const nodes = selection.nodes && watchNodes(watches, selection.nodes);
  if (slices) measure(watches, runtime, slices, services);
  const basic = [services, slices, namespaces, pods].flatMap((watch) => watch?.informer ?? []);
  const all = [...basic, ...(imports ? [imports.informer] : []), ...(nodes ? [nodes.informer] : [])];
  return {
    service: (namespace, name) => services.informer.get(name, namespace),
    slicesOf: (namespace, service) => slices?.informer.byIndex('service', `${namespace}/${service}`) ?? [],
    hasNamespace: (name) => namespaces.informer.get(name) !== undefined,
    serviceWithAddress: (address) => services.informer.byIndex('address', address)[0],
    slicesWithAddress: (address) => slices?.informer.byIndex('address', address) ?? [],
    podsWithAddress: (address) => pods?.informer.byIndex('address', address) ?? [],
    serviceImport: (namespace, name) => imports?.informer.get(name, namespace),
    importSlicesOf: (namespace, service) => slices?.informer.byIndex('import', `${namespace}/${service}`) ?? [],
    zoneOfNode: (name) => zoneOf(nodes?.informer.get(name)),
    get serial() {
      const latest = Math.max(services.changedAt, slices?.changedAt ?? 0, imports?.changedAt ?? 0);
      return Math.floor(latest / 1000) >>> 0;
    },
    synced: Promise.all(all.map(({ synced }) => synced)).then(() => undefined),
    hasSynced: (kind) =>
      basic.every((informer) => informer.hasSynced) && (kind !== 'clusterset' || imports?.informer.hasSynced !== false),
    stop() {
      watches.release();
    },
  };
}

const labelled = (labels: string | undefined): Pick<ListOptions, 'labelSelector'> =>
  labels === undefined ? {} : { labelSelector: labels };

const watchServices = (watches: Watches, { labels }: Selection) =>
  watches.open(SERVICES, changedByService, {
    ...labelled(labels),
    transform: new Slimmer().service,
    indexes: { address: clusterIpsOf },
  });

function watchSlices(watches: Watches, { labels, podNames }: Selection, since: number) {
  const slimmer = new Slimmer();
  return watches.open(
    ENDPOINT_SLICES,
    changedBySlice,
    {
      ...labelled(labels),
      transform: (slice) => slimmer.slice(slice, podNames, since),
      indexes: { service: serviceKeysOf, import: importKeysOf, address: addressesOf },
    },
    podNames ? 'with Pods' : '',
  );
}

const watchNamespaces = (watches: Watches, { namespaceLabels }: Selection) =>
  watches.open(NAMESPACES, changedByNamespace, { ...labelled(namespaceLabels), transform: new Slimmer().namespace });

const watchPods = (watches: Watches, { labels }: Selection) =>
  watches.open(PODS, changedByPod, {
    ...labelled(labels),
    fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
    transform: new Slimmer().pod,
    indexes: { address: podAddressesOf },
  });

const watchNodes = (watches: Watches, nodes: NonNullable<Selection['nodes']>) =>
  watches.open(NODES, changedByNode, {
    ...(nodes !== 'all' && { fieldSelector: `metadata.name=${nodes.name}` }),
    transform: new Slimmer().node,
  });

/** Answers for askers of a Node do not say so: where its zone changes, none of them holds. */
function changedByNode(change: Change<Node>): (Dependency | undefined)[] {
  const zones =
    change.type === 'updated' ? [zoneOf(change.old), zoneOf(change.object)] : [zoneOf(change.object), undefined];
  return zones[0] === zones[1] ? [] : [undefined];
}

/** Once for all who share the slices. */
function measure(
  watches: Watches,
  { clock, metrics }: Runtime,
  slices: ReturnType<typeof watchSlices>,
  services: ReturnType<typeof watchServices>,
): void {
  watches.share('durations', () => {
    const serviceOf = (namespace: string, name: string) => services.informer.get(name, namespace);
    const now = () => clock.now();
    return { value: undefined, close: slices.informer.onChange(programmingDuration(metrics, serviceOf, now(), now)) };
  });
}
