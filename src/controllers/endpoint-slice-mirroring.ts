/** Mirrors the Endpoints people write by hand, for a Service without a selector, into EndpointSlices (features 2-073 to 2-081). */
import { ENDPOINTS, ENDPOINT_SLICES, SERVICES } from '../api/kinds.ts';
import type { Core, Endpoints, Service } from '../api/types.ts';
import { formatIp, parseIp, type Family } from '../lib/ip.ts';
import { lostRace } from './adoption.ts';
import { defineController, done, itself, retryAfter, splitKey, trigger, type Controller } from './loop.ts';
import { LEADER_ANNOTATION, TRIGGER_TIME_ANNOTATION, type ResolvedPort } from './service-pods.ts';
import { planSlices, type Endpoint, type SliceFrame, type SliceGroup } from './slice-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, SliceWriter, sliceIndexes } from './slice-writer.ts';

export const MIRROR_MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** Addresses mirrored of one subset (2-078). */
export const MAX_MIRRORED = 1000;

/** Whether these Endpoints are somebody's own and belong to a Service that selects nothing (2-073). */
export function isMirrored(endpoints: Endpoints | undefined, service: Service | undefined): endpoints is Endpoints {
  if (!endpoints || !service || endpoints.metadata.deletionTimestamp !== undefined) return false;
  if (Object.keys(service.spec.selector ?? {}).length > 0) return false;
  const { labels, annotations } = endpoints.metadata;
  return labels?.[SKIP_LABEL] !== 'true' && annotations?.[LEADER_ANNOTATION] === undefined;
}

export interface Mirror {
  readonly groups: SliceGroup[];
  readonly invalid: string[];
  /** Addresses left out for being too many. */
  readonly skipped: number;
}

/** The slices' content: one group per set of ports and family, addresses in canonical form (2-075 to 2-081). */
export function mirrorGroups(endpoints: Endpoints, max = MAX_MIRRORED): Mirror {
  const groups = new Map<string, SliceGroup>();
  const invalid: string[] = [];
  let skipped = 0;
  for (const subset of endpoints.subsets ?? []) {
    const ports = (subset.ports ?? []).map(mirrorPort);
    const all = [
      ...(subset.addresses ?? []).map((address) => ({ address, ready: true })),
      ...(subset.notReadyAddresses ?? []).map((address) => ({ address, ready: false })),
    ];
    skipped += Math.max(0, all.length - max);
    for (const { address, ready } of all.slice(0, max)) {
      const ip = parseIp(address.ip);
      if (!ip) {
        invalid.push(address.ip);
        continue;
      }
      const group = groupOf(groups, ip.family, ports);
      const endpoint = mirrorEndpoint(address, formatIp(ip), ready);
      const at = group.endpoints.findIndex((other) => sameBackend(other, endpoint));
      if (at < 0) group.endpoints.push(endpoint);
    }
  }
  return { groups: [...groups.values()], invalid, skipped };
}

function groupOf(groups: Map<string, SliceGroup>, addressType: Family, ports: ResolvedPort[]): SliceGroup {
  const key = JSON.stringify([addressType, ports.map((port) => JSON.stringify(port)).sort()]);
  const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
  groups.set(key, group);
  return group;
}

const mirrorPort = ({ name = '', port, protocol = 'TCP', appProtocol }: Core.EndpointPort): ResolvedPort => ({
  name,
  port,
  protocol,
  ...(appProtocol !== undefined && { appProtocol }),
});

function mirrorEndpoint({ hostname, nodeName, targetRef }: Core.EndpointAddress, ip: string, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname !== undefined && { hostname }),
    ...(targetRef && { targetRef }),
    ...(nodeName !== undefined && { nodeName }),
  };
}

const sameBackend = (a: Endpoint, b: Endpoint) =>
  a.addresses[0] === b.addresses[0] && a.targetRef?.uid === b.targetRef?.uid && a.hostname === b.hostname;

function mirrorFrame(endpoints: Endpoints): SliceFrame {
  const { name, namespace = '', uid = '', labels, annotations = {} } = endpoints.metadata;
  const { [TRIGGER_TIME_ANNOTATION]: _time, [LAST_APPLIED_ANNOTATION]: _applied, ...copied } = annotations;
  return {
    addressTypes: ['IPv4', 'IPv6'],
    placeholder: false,
    max: MAX_MIRRORED,
    generateName: `${name}-`,
    namespace,
    labels: { ...labels, [SERVICE_NAME_LABEL]: name, [SLICE_MANAGER_LABEL]: MIRROR_MANAGER },
    annotations: copied,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Endpoints', name, uid, controller: true, blockOwnerDeletion: true }],
    keepHintsOfNotReady: false,
  };
}

export function endpointSliceMirroringController(): Controller {
  const writer = new SliceWriter(MIRROR_MANAGER);
  return defineController({
    name: 'endpoint-slice-mirroring-controller',
    indexes: sliceIndexes,
    triggers: [
      trigger(ENDPOINTS, itself),
      trigger(SERVICES, itself),
      trigger(ENDPOINT_SLICES, (change) => writer.keysOfChange(change)),
    ],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const endpoints = view.get(ENDPOINTS, name, namespace);
      const service = view.get(SERVICES, name, namespace);
      const existing = writer.slicesOf(key, view);
      if (!existing) return retryAfter(100);
      if (!isMirrored(endpoints, service)) {
        if (existing.length > 0) await writer.apply(key, { create: [], update: [], remove: existing }, view);
        else if (!service) writer.forget(key);
        return done;
      }
      const { groups, invalid, skipped } = mirrorGroups(endpoints);
      if (skipped > 0) {
        const message = `A max of ${String(MAX_MIRRORED)} addresses can be mirrored to EndpointSlices per Endpoints subset. ${String(skipped)} addresses were skipped`;
        view.event(endpoints, 'Warning', 'TooManyAddressesToMirror', message);
      }
      for (const ip of invalid.slice(0, 5)) {
        view.event(endpoints, 'Warning', 'InvalidIPAddress', `Skipped 1 invalid IP address: ${ip}`);
      }
      try {
        await writer.apply(key, planSlices(existing, groups, mirrorFrame(endpoints)), view);
      } catch (error) {
        if (lostRace(error)) return retryAfter(50);
        throw error;
      }
      return done;
    },
  });
}
