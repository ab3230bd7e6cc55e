/**
 * Keeps the Service that Pods ask for names (feature 4-048), and the ConfigMap that says how they are answered. Every Node answers DNS itself,
 * so the Service's endpoints are the Nodes, and `internalTrafficPolicy: Local` keeps each question on the Node it came from.
 */
import { isAlreadyExists, isConflict } from '../api/api-error.ts';
import { CONFIG_MAPS, ENDPOINTS, ENDPOINT_SLICES, NAMESPACES, NODES, SERVICES } from '../api/kinds.ts';
import type { Node, Service } from '../api/types.ts';
import { messageOf, unlessTerminating } from './api-outcomes.ts';
import {
  COREFILE_MAP,
  defaultCorefileMap,
  familiesOf,
  isForeign,
  keepsOurPolicy,
  LABELS,
  NAME,
  NAMESPACE,
  nodeEndpoints,
  planDnsEndpoints,
  planDnsService,
  PORTS,
  type ClusterDns,
} from './cluster-dns-plan.ts';
import { defineController, done, retryAfter, trigger, type Controller, type Outcome, type View } from './loop.ts';
import { planSlices, type SliceFrame } from './slice-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, SliceWriter, sliceIndexes } from './slice-writer.ts';

export const DNS_SLICE_MANAGER = 'cluster-dns-controller.fairway';
const KEY = `${NAMESPACE}/${NAME}`;

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
    if (existing.length > 0 && keepsOurPolicy(current))
      await client.update(SERVICES, { ...current, spec: { ...current.spec, internalTrafficPolicy: 'Cluster' } });
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
