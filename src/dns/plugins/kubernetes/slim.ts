/** Objects without what no answer reads: at tens of thousands of Services that is most of the memory. Pure. */
import type { EndpointSlice, KubeObject, Namespace, Node, ObjectMeta, Pod, Service } from '../../../api/types.ts';
import { CLUSTER_LABEL } from './service-endpoints.ts';
import { IMPORT_NAME, SERVICE_NAME } from './cluster-view.ts';
import { TRIGGER_TIME } from './programming-duration.ts';
import { ZONE_LABEL } from './asker-zone.ts';

/** Keeps what tells versions of an object apart. */
function slimMetadata({ metadata }: KubeObject, labels: readonly string[] = [], annotation?: string): ObjectMeta {
  const { name, namespace, uid, resourceVersion } = metadata;
  const kept = labels.filter((label) => metadata.labels?.[label] !== undefined);
  const noted = annotation === undefined ? undefined : metadata.annotations?.[annotation];
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(kept.length > 0 && {
      labels: Object.fromEntries(kept.map((label) => [label, metadata.labels?.[label] ?? ''])),
    }),
    ...(annotation !== undefined && noted !== undefined && { annotations: { [annotation]: noted } }),
  };
}

export const slimNamespace = (namespace: Namespace): Namespace => ({ metadata: slimMetadata(namespace) });

export const slimNode = (node: Node): Node => ({ metadata: slimMetadata(node, [ZONE_LABEL]) });

export function slimService(service: Service): Service {
  const { type, clusterIP, clusterIPs, externalName, ports, selector } = service.spec;
  return {
    metadata: slimMetadata(service),
    spec: {
      ...(type !== undefined && type !== 'ClusterIP' && { type }),
      ...(clusterIP !== undefined && { clusterIP }),
      ...((clusterIPs?.length ?? 0) > 1 && clusterIPs && { clusterIPs }),
      ...(externalName !== undefined && { externalName }),
      ...(selector !== undefined && Object.keys(selector).length > 0 && { selector: {} }),
      ...(ports && {
        ports: ports.map(({ name, protocol, port }) => ({
          port,
          ...(name !== undefined && { name }),
          ...(protocol !== undefined && { protocol }),
        })),
      }),
    },
  };
}

/** @param podNames whether the names of Pods are read */
export function slimSlice(slice: EndpointSlice, podNames: boolean): EndpointSlice {
  const { addressType, ports } = slice;
  const endpoints = (slice.endpoints as EndpointSlice['endpoints'] | null) ?? [];
  return {
    metadata: slimMetadata(slice, [SERVICE_NAME, IMPORT_NAME, CLUSTER_LABEL], TRIGGER_TIME),
    addressType,
    endpoints: endpoints.map(({ addresses, hostname, conditions, zone, hints, targetRef }) => ({
      addresses,
      ...(hostname && { hostname }),
      ...(conditions?.ready === false && { conditions: NOT_READY }),
      ...(zone !== undefined && { zone }),
      ...(hints?.forZones && { hints: { forZones: hints.forZones } }),
      ...(podNames &&
        targetRef?.name !== undefined && { targetRef: { kind: targetRef.kind ?? 'Pod', name: targetRef.name } }),
    })),
    ...(ports && {
      ports: ports.map(({ name, protocol, port }) => ({
        ...(name !== undefined && { name }),
        ...(protocol !== undefined && { protocol }),
        ...(port !== undefined && { port }),
      })),
    }),
  };
}

const NOT_READY = { ready: false } as const;

/** Without addresses where it has ended: they may be another's by now. */
export function slimPod(pod: Pod): Pod {
  const { status, spec } = pod;
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return {
    metadata: slimMetadata(pod),
    spec: {
      containers: [],
      ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }),
      ...(spec.hostNetwork && { hostNetwork: true }),
    },
    ...(!hasEnded &&
      status && {
        status: {
          ...(status.phase !== undefined && { phase: status.phase }),
          ...(status.podIP !== undefined && { podIP: status.podIP }),
          ...((status.podIPs?.length ?? 0) > 1 && status.podIPs && { podIPs: status.podIPs }),
        },
      }),
  };
}
