/**
 * Keeps the Service that Pods ask for names (feature 4-048), and the ConfigMap that says how they are answered. Every Node answers DNS itself,
 * so the Service's endpoints are the Nodes, and `internalTrafficPolicy: Local` keeps each question on the Node it came from.
 */
import { isAlreadyExists, isConflict } from '../api/api-error.ts';
import { CONFIG_MAPS, ENDPOINTS, ENDPOINT_SLICES, NAMESPACES, NODES, SERVICES } from '../api/kinds.ts';
import type { ConfigMap, Endpoints, Node, Service } from '../api/types.ts';
import { familyOf, type Family } from '../lib/ip.ts';
import { messageOf, unlessTerminating } from './api-outcomes.ts';
import { sameSubsets } from './endpoint-subsets.ts';
import { sortByIp } from './ip-order.ts';
import { defineController, done, retryAfter, trigger, type Controller, type Outcome, type View } from './loop.ts';
import type { ResolvedPort } from './service-pods.ts';
import { planSlices, type Endpoint, type SliceFrame } from './slice-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, SliceWriter, sliceIndexes } from './slice-writer.ts';

export const DNS_SLICE_MANAGER = 'cluster-dns-controller.fairway';
const NAMESPACE = 'kube-system';
const NAME = 'kube-dns';
const KEY = `${NAMESPACE}/${NAME}`;
/** The name CoreDNS' own has: where people look for it. */
const COREFILE_MAP = 'coredns';

const LABELS = {
  'k8s-app': 'kube-dns',
  'kubernetes.io/cluster-service': 'true',
  'kubernetes.io/name': 'CoreDNS',
};
const PORTS: ResolvedPort[] = [
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  { name: 'metrics', port: 9153, protocol: 'TCP' },
];
/** By these a Prometheus finds what to scrape. */
const ANNOTATIONS = { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' };

export interface ClusterDns {
  /** One of each family: the addresses the kubelets put into resolv.conf, the tenth of each range. */
  readonly clusterIPs: readonly string[];
  /** What the ConfigMap says where nobody has written one. */
  readonly corefile: string;
}

/** Somebody has put a DNS of their own behind the name: theirs is left alone. */
export function isForeign(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0 || service.spec.type === 'ExternalName';
}

/**
 * The Service to write, or undefined where `current` is right. Its address cannot be changed later, so it is only set at first; one of a
 * second family is added when the cluster has come to one.
 */
export function planDnsService(current: Service | undefined, clusterIPs: readonly string[]): Service | undefined {
  const ports = PORTS.map(({ name, port, protocol }) => ({ name, port, protocol, targetPort: port }));
  if (!current) {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS, annotations: ANNOTATIONS },
      spec: { ...addresses(clusterIPs), ports, internalTrafficPolicy: 'Local' },
    };
  }
  const { metadata, spec } = current;
  const grows = spec.clusterIPs?.length === 1 && clusterIPs.length > 1;
  const right =
    PORTS.every((port) =>
      spec.ports?.some((own) => own.name === port.name && own.port === port.port && own.protocol === port.protocol),
    ) &&
    spec.internalTrafficPolicy === 'Local' &&
    Object.entries(LABELS).every(([key, value]) => metadata.labels?.[key] === value);
  if (right && !grows) return undefined;
  return {
    ...current,
    metadata: { ...metadata, labels: { ...metadata.labels, ...LABELS } },
    spec: {
      ...spec,
      ...(grows && addresses([spec.clusterIP ?? '', ...clusterIPs.slice(1)])),
      ports,
      internalTrafficPolicy: 'Local',
    },
  };
}

function addresses(clusterIPs: readonly string[]) {
  const [clusterIP = ''] = clusterIPs;
  if (clusterIPs.length === 1) return { clusterIP };
  const ipFamilies = clusterIPs.map((ip) => familyOf(ip) ?? 'IPv4');
  return { clusterIP, clusterIPs: [...clusterIPs], ipFamilies, ipFamilyPolicy: 'PreferDualStack' };
}

/** The ConfigMap where there is none. What people wrote into it is theirs. */
export function defaultCorefileMap(corefile: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: COREFILE_MAP, namespace: NAMESPACE },
    data: { Corefile: corefile },
  };
}

/**
 * One endpoint per Node, at its own address of that family: also of one that is not Ready. Nobody but its own Pods asks it, and they have nobody
 * else; a Node that cannot reach the API server for a while still answers.
 */
export function nodeEndpoints(nodes: readonly Node[], family: Family = 'IPv4'): Endpoint[] {
  const endpoints = nodes.flatMap((node): Endpoint[] => {
    const address = nodeAddress(node, family);
    if (address === undefined) return [];
    const { name, uid } = node.metadata;
    return [
      {
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: name,
        targetRef: { kind: 'Node', name, ...(uid !== undefined && { uid }) },
      },
    ];
  });
  return sortByIp(endpoints, ({ addresses }) => addresses[0] ?? '');
}

const nodeAddress = (node: Node, family: Family) =>
  node.status?.addresses?.find(({ type, address }) => type === 'InternalIP' && familyOf(address) === family)?.address;

const familiesOf = ({ spec }: Service) => (spec.ipFamilies ?? ['IPv4']) as readonly Family[];

/** The Endpoints object beside the slices, for older tools; undefined where `current` is right. Never mirrored back into slices. */
export function planDnsEndpoints(
  current: Endpoints | undefined,
  endpoints: readonly Endpoint[],
): Endpoints | undefined {
  const all = endpoints.map(({ addresses: [ip = ''], nodeName, targetRef }) => ({
    ip,
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef && { targetRef }),
  }));
  const subsets = all.length === 0 ? [] : [{ addresses: all, ports: PORTS }];
  const labels = { ...LABELS, 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const skips = current?.metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] === 'true';
  if (skips && sameSubsets(current.subsets, subsets)) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...(current?.metadata ?? { name: NAME, namespace: NAMESPACE }), labels },
    ...(subsets.length > 0 && { subsets }),
  };
}

function sliceFrame(service: Service): SliceFrame {
  return {
    addressTypes: familiesOf(service),
    placeholder: true,
    max: 100,
    generateName: `${NAME}-`,
    namespace: NAMESPACE,
    labels: { ...LABELS, [SERVICE_NAME_LABEL]: NAME, [SLICE_MANAGER_LABEL]: DNS_SLICE_MANAGER },
    ownerReferences: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: NAME,
        uid: service.metadata.uid ?? '',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
    keepHintsOfNotReady: false,
  };
}

export function clusterDnsController(dns: ClusterDns): Controller {
  const writer = new SliceWriter(DNS_SLICE_MANAGER);
  const named = (name: string) => (change: { object: { metadata: { name: string; namespace?: string } } }) => {
    const { metadata } = change.object;
    return metadata.name === name && metadata.namespace === NAMESPACE ? [KEY] : [];
  };
  return defineController({
    name: 'cluster-dns-controller',
    indexes: sliceIndexes,
    triggers: [
      trigger(NAMESPACES, ({ object }) => (object.metadata.name === NAMESPACE ? [KEY] : [])),
      trigger(SERVICES, named(NAME)),
      trigger(ENDPOINTS, named(NAME)),
      trigger(CONFIG_MAPS, named(COREFILE_MAP)),
      trigger(ENDPOINT_SLICES, (change) => writer.keysOfChange(change)),
      trigger(NODES, (change) => {
        if (change.type !== 'updated') return [KEY];
        const facts = (node: Node) => JSON.stringify([nodeEndpoints([node]), nodeEndpoints([node], 'IPv6')]);
        return facts(change.old) === facts(change.object) ? [] : [KEY];
      }),
    ],
    async reconcile(_key, view) {
      if (view.get(NAMESPACES, NAMESPACE)?.metadata.deletionTimestamp !== undefined) return done;
      // Made before anything else is: the Namespace's own event makes the key due again.
      if (!view.get(NAMESPACES, NAMESPACE)) return done;
      try {
        return await keep(dns, writer, view);
      } catch (error) {
        if (isConflict(error) || isAlreadyExists(error)) return retryAfter(50);
        throw error;
      }
    },
  });
}

async function keep({ clusterIPs, corefile }: ClusterDns, writer: SliceWriter, view: View): Promise<Outcome> {
  const { client } = view;
  const current = view.get(SERVICES, NAME, NAMESPACE);
  const existing = writer.slicesOf(KEY, view);
  if (!existing) return retryAfter(100);
  if (current) warnOfAddress(current, clusterIPs, view);
  if (current && isForeign(current)) {
    await writer.apply(KEY, { create: [], update: [], remove: existing }, view);
    return done;
  }
  if (!view.get(CONFIG_MAPS, COREFILE_MAP, NAMESPACE))
    await unlessTerminating(client.create(CONFIG_MAPS, defaultCorefileMap(corefile)));
  const wanted = planDnsService(current, clusterIPs);
  if (wanted) await writeService(wanted, current, view);
  // Slices name their owner's uid, which the Service's own event brings.
  if (!current) return done;
  const endpoints = nodeEndpoints(view.list(NODES));
  const groups = familiesOf(current).map((family) => ({
    addressType: family,
    ports: PORTS,
    endpoints: nodeEndpoints(view.list(NODES), family),
  }));
  await writer.apply(KEY, planSlices(existing, groups, sliceFrame(current)), view);
  const known = view.get(ENDPOINTS, NAME, NAMESPACE);
  const object = planDnsEndpoints(known, endpoints);
  if (object) await (known ? client.update(ENDPOINTS, object) : client.create(ENDPOINTS, object));
  return done;
}

/** What stands in the way, such as the address in other hands, is told on the Service. */
async function writeService(wanted: Service, current: Service | undefined, view: View): Promise<void> {
  try {
    await (current ? view.client.update(SERVICES, wanted) : unlessTerminating(view.client.create(SERVICES, wanted)));
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error))
      view.event(wanted, 'Warning', 'FailedToCreateClusterDNS', messageOf(error));
    throw error;
  }
}

/** Pods are told the address the kubelets were started with; a Service at another one is asked by nobody. */
function warnOfAddress(current: Service, [told = '']: readonly string[], view: View): void {
  const { clusterIP } = current.spec;
  if (clusterIP === told || clusterIP === undefined) return;
  const message = `Pods are told to ask ${told}; at ${clusterIP} nobody asks this Service`;
  view.event(current, 'Warning', 'ClusterDNSAddressMismatch', message);
}
