/** Keeps the EndpointSlices of every Service with a selector (features 2-045 to 2-069). */
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from '../api/kinds.ts';
import type { EndpointSlice, Node, Pod, Service } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { lostRace } from './adoption.ts';
import { messageOf } from './api-outcomes.ts';
import {
  defineController,
  done,
  index,
  itself,
  keyOf,
  retryAfter,
  splitKey,
  trigger,
  type Controller,
  type View,
} from './loop.ts';
import {
  HEADLESS_LABEL,
  TRIGGER_TIME_ANNOTATION,
  inheritedLabels,
  isHeadless,
  isSelecting,
  podsOfService,
  serviceKeysOfPodChange,
  servicePodIndexes,
} from './service-pods.ts';
import { ZONE_LABEL, desiredSlices, familiesOf, hintsFor } from './slice-endpoints.ts';
import { planSlices, type SliceFrame, type SlicePlan } from './slice-plan.ts';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL, SliceWriter, sliceIndexes } from './slice-writer.ts';
import { TriggerTimes } from './trigger-time.ts';

export const SLICE_MANAGER = 'endpointslice-controller.k8s.io';

export interface EndpointSliceOptions {
  /** Most endpoints one slice holds: 1 to 1000 (2-053). */
  readonly maxEndpointsPerSlice?: number;
}

/** What all slices of a Service have in common (2-045 to 2-047). */
export function sliceFrame(service: Service, max: number): SliceFrame {
  return {
    addressTypes: familiesOf(service),
    placeholder: true,
    max,
    generateName: `${service.metadata.name}-`,
    namespace: service.metadata.namespace ?? '',
    labels: {
      ...inheritedLabels(service, [SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL]),
      [SERVICE_NAME_LABEL]: service.metadata.name,
      [SLICE_MANAGER_LABEL]: SLICE_MANAGER,
      ...(isHeadless(service) && { [HEADLESS_LABEL]: '' }),
    },
    ownerReferences: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: service.metadata.name,
        uid: service.metadata.uid ?? '',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
    keepHintsOfNotReady: hintsFor(service) !== 'none',
  };
}

/** The writes a Service's slices need, and the Nodes that must appear before all its Pods can have a place. */
export function planServiceSlices(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
  existing: readonly EndpointSlice[],
  options: { max: number; triggerTime: string | undefined },
): { plan: SlicePlan; missingNodes: string[] } {
  const { groups, missingNodes } = desiredSlices(service, pods, nodeOf);
  const plan = planSlices(existing, groups, sliceFrame(service, options.max));
  const stamped = (slice: EndpointSlice) => withTriggerTime(slice, options.triggerTime);
  return {
    plan: {
      // A Service on its way out gets nothing new (2-060).
      create: service.metadata.deletionTimestamp === undefined ? plan.create.map(stamped) : [],
      update: plan.update.map(stamped),
      remove: plan.remove,
    },
    missingNodes,
  };
}

function withTriggerTime(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const { annotations = {}, ...metadata } = slice.metadata;
  const { [TRIGGER_TIME_ANNOTATION]: _old, ...others } = annotations;
  const next = time === undefined ? others : { ...others, [TRIGGER_TIME_ANNOTATION]: time };
  return { ...slice, metadata: { ...metadata, ...(Object.keys(next).length > 0 && { annotations: next }) } };
}

/** Services whose endpoints carry what changed of a Node: its being there and its zone. */
function serviceKeysOfNodeChange(change: Change<Node>, view: View): string[] {
  const { object } = change;
  if (
    change.type === 'updated' &&
    change.old.metadata.uid === object.metadata.uid &&
    change.old.metadata.labels?.[ZONE_LABEL] === object.metadata.labels?.[ZONE_LABEL]
  ) {
    return [];
  }
  const pods = view.byIndex(PODS, 'node', object.metadata.name);
  return [...new Set(pods.flatMap((pod) => serviceKeysOfPodChange({ type: 'added', object: pod }, view)))];
}

export function endpointSliceController(options: EndpointSliceOptions = {}): Controller {
  const max = options.maxEndpointsPerSlice ?? 100;
  const times = new TriggerTimes();
  const writer = new SliceWriter(SLICE_MANAGER);
  return defineController({
    name: 'endpoint-slice-controller',
    indexes: [
      ...servicePodIndexes,
      ...sliceIndexes,
      index(PODS, { node: (pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]) }),
    ],
    triggers: [
      trigger(SERVICES, itself),
      trigger(PODS, serviceKeysOfPodChange),
      trigger(NODES, serviceKeysOfNodeChange),
      trigger(ENDPOINT_SLICES, (change) => writer.keysOfChange(change)),
    ],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const service = view.get(SERVICES, name, namespace);
      if (!service) {
        // The slices go by their owner reference.
        times.forget(key);
        writer.forget(key);
        return done;
      }
      if (!isSelecting(service)) return done;
      const existing = writer.slicesOf(key, view);
      if (!existing) return retryAfter(100);
      const pods = podsOfService(service, view);
      const news = times.observe(keyOf(service), service, pods);
      const nodeOf = (node: string) => view.get(NODES, node);
      const { plan, missingNodes } = planServiceSlices(service, pods, nodeOf, existing, {
        max,
        triggerTime: news.time,
      });
      try {
        await writer.apply(key, plan, view);
      } catch (error) {
        if (lostRace(error)) return retryAfter(50);
        view.event(service, 'Warning', 'FailedToUpdateEndpointSlices', failureText(service, error));
        throw error;
      }
      news.commit();
      // The Node's own event makes the key due again.
      for (const node of missingNodes) view.log.debug({ service: key, node }, 'a Pod waits for its Node object');
      return done;
    },
  });
}

const failureText = ({ metadata }: Service, error: unknown) =>
  `Error updating Endpoint Slices for Service ${metadata.namespace ?? ''}/${metadata.name}: ${messageOf(error)}`;
