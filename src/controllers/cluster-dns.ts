/**
 * Keeps the Service that Pods ask for names. Every Node answers DNS itself, so its endpoints are the Nodes, and
 * `internalTrafficPolicy: Local` keeps each question on the Node it came from.
 */
import { isAlreadyExists, isConflict } from '../api/api-error.ts';
import { ENDPOINTS, ENDPOINT_SLICES, NAMESPACES, NODES, SERVICES } from '../api/kinds.ts';
import type { Endpoints, Node, Service } from '../api/types.ts';
import { familyOf } from '../lib/ip.ts';
import { messageOf, unlessTerminating } from './api-outcomes.ts';
import { sameSubsets } from './endpoint-subsets.ts';
import { sortByIp } from './ip-order.ts';
import { defineController, done, retryAfter, trigger, type Controller, type Outcome, type View } from './loop.ts';
import { readyStatus } from './node-health.ts';
import type { ResolvedPort } from './service-pods.ts';
import { planSlices, type Endpoint, type SliceFrame } from './slice-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, SliceWriter, sliceIndexes } from './slice-writer.ts';

export const DNS_SLICE_MANAGER = 'cluster-dns-controller.fairway';
const NAMESPACE = 'kube-system';
const NAME = 'kube-dns';
const KEY = `${NAMESPACE}/${NAME}`;

const LABELS = {
  'k8s-app': 'kube-dns',
  'kubernetes.io/cluster-service': 'true',
  'kubernetes.io/name': 'CoreDNS',
};
const PORTS: ResolvedPort[] = [
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
];

/** Somebody has put a DNS of their own behind the name: theirs is left alone. */
export function isForeign(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0 || service.spec.type === 'ExternalName';
}

/** The Service to write, or undefined where `current` is right. Its address cannot be changed later, so it is only set at first. */
export function planDnsService(current: Service | undefined, clusterIP: string): Service | undefined {
  const ports = PORTS.map(({ name, port, protocol }) => ({ name, port, protocol, targetPort: port }));
  if (!current) {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS },
      spec: { clusterIP, ports, internalTrafficPolicy: 'Local' },
    };
  }
  const labels = { ...current.metadata.labels, ...LABELS };
  const right =
    PORTS.every((port) =>
      current.spec.ports?.some(
        (own) => own.name === port.name && own.port === port.port && own.protocol === port.protocol,
      ),
    ) &&
    current.spec.internalTrafficPolicy === 'Local' &&
    Object.entries(LABELS).every(([key, value]) => current.metadata.labels?.[key] === value);
  if (right) return undefined;
  const { metadata, spec } = current;
  return { ...current, metadata: { ...metadata, labels }, spec: { ...spec, ports, internalTrafficPolicy: 'Local' } };
}

/** One endpoint per Node that is Ready, at its own address. */
export function nodeEndpoints(nodes: readonly Node[]): Endpoint[] {
  const endpoints = nodes.flatMap((node): Endpoint[] => {
    const address = nodeAddress(node);
    if (address === undefined || readyStatus(node) !== 'True') return [];
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

const nodeAddress = (node: Node) =>
  node.status?.addresses?.find(({ type, address }) => type === 'InternalIP' && familyOf(address) === 'IPv4')?.address;

/** The Endpoints object beside the slices, for older tools; undefined where `current` is right. Never mirrored back into slices. */
export function planDnsEndpoints(
  current: Endpoints | undefined,
  endpoints: readonly Endpoint[],
): Endpoints | undefined {
  const addresses = endpoints.map(({ addresses: [ip = ''], nodeName, targetRef }) => ({
    ip,
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef && { targetRef }),
  }));
  const subsets = addresses.length === 0 ? [] : [{ addresses, ports: PORTS }];
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
    addressTypes: ['IPv4'],
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

/** @param clusterIP the address the kubelets put into resolv.conf: the tenth of the service range. */
export function clusterDnsController(clusterIP: string): Controller {
  const writer = new SliceWriter(DNS_SLICE_MANAGER);
  const isIt = ({ metadata }: { metadata: { name: string; namespace?: string } }) =>
    metadata.name === NAME && metadata.namespace === NAMESPACE;
  return defineController({
    name: 'cluster-dns-controller',
    indexes: sliceIndexes,
    triggers: [
      trigger(NAMESPACES, ({ object }) => (object.metadata.name === NAMESPACE ? [KEY] : [])),
      trigger(SERVICES, ({ object }) => (isIt(object) ? [KEY] : [])),
      trigger(ENDPOINTS, ({ object }) => (isIt(object) ? [KEY] : [])),
      trigger(ENDPOINT_SLICES, (change) => writer.keysOfChange(change)),
      trigger(NODES, (change) => {
        if (change.type !== 'updated') return [KEY];
        const facts = (node: Node) => JSON.stringify(nodeEndpoints([node]));
        return facts(change.old) === facts(change.object) ? [] : [KEY];
      }),
    ],
    async reconcile(_key, view) {
      if (view.get(NAMESPACES, NAMESPACE)?.metadata.deletionTimestamp !== undefined) return done;
      // Made before anything else is: the Namespace's own event makes the key due again.
      if (!view.get(NAMESPACES, NAMESPACE)) return done;
      try {
        return await keep(clusterIP, writer, view);
      } catch (error) {
        if (isConflict(error) || isAlreadyExists(error)) return retryAfter(50);
        throw error;
      }
    },
  });
}

async function keep(clusterIP: string, writer: SliceWriter, view: View): Promise<Outcome> {
  const { client } = view;
  const current = view.get(SERVICES, NAME, NAMESPACE);
  const existing = writer.slicesOf(KEY, view);
  if (!existing) return retryAfter(100);
  if (current && isForeign(current)) {
    await writer.apply(KEY, { create: [], update: [], remove: existing }, view);
    return done;
  }
  const wanted = planDnsService(current, clusterIP);
  if (wanted && !current) {
    try {
      await unlessTerminating(client.create(SERVICES, wanted));
    } catch (error) {
      if (!isAlreadyExists(error)) view.event(wanted, 'Warning', 'FailedToCreateClusterDNS', messageOf(error));
      throw error;
    }
    // Slices name their owner's uid, which the Service's own event brings.
    return done;
  }
  if (wanted) await client.update(SERVICES, wanted);
  if (!current) return done;
  const endpoints = nodeEndpoints(view.list(NODES));
  const group = { addressType: 'IPv4' as const, ports: PORTS, endpoints };
  await writer.apply(KEY, planSlices(existing, [group], sliceFrame(current)), view);
  const known = view.get(ENDPOINTS, NAME, NAMESPACE);
  const object = planDnsEndpoints(known, endpoints);
  if (object) await (known ? client.update(ENDPOINTS, object) : client.create(ENDPOINTS, object));
  return done;
}
