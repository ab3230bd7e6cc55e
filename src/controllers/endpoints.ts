/** Keeps the Endpoints object of every Service with a selector (features 2-001 to 2-030). */
import { isAlreadyExists, isConflict } from '../api/api-error.ts';
import { ENDPOINTS, PODS, SERVICES } from '../api/kinds.ts';
import type { Endpoints, Pod, Service } from '../api/types.ts';
import { ignoreNotFound, messageOf, unlessTerminating } from './api-outcomes.ts';
import { planSubsets, sameSubsets, truncateSubsets } from './endpoint-subsets.ts';
import { defineController, done, itself, keyOf, retryAfter, splitKey, trigger, type Controller } from './loop.ts';
import {
  HEADLESS_LABEL,
  LEADER_ANNOTATION,
  TRIGGER_TIME_ANNOTATION,
  inheritedLabels,
  isHeadless,
  isSelecting,
  podsOfService,
  serviceKeysOfPodChange,
  servicePodIndexes,
} from './service-pods.ts';
import { TriggerTimes } from './trigger-time.ts';

const MANAGED_BY_LABEL = 'endpoints.kubernetes.io/managed-by';
const MANAGED_BY = 'endpoint-controller';
const OVER_CAPACITY_ANNOTATION = 'endpoints.kubernetes.io/over-capacity';

/** The object to write, or undefined where `current` already says it (2-018 to 2-026). */
export function planEndpoints(
  service: Service,
  pods: readonly Pod[],
  current: Endpoints | undefined,
  triggerTime: string | undefined,
): Endpoints | undefined {
  const { subsets, truncated } = truncateSubsets(planSubsets(service, pods));
  const labels = {
    ...inheritedLabels(service, [MANAGED_BY_LABEL]),
    [MANAGED_BY_LABEL]: MANAGED_BY,
    ...(isHeadless(service) && { [HEADLESS_LABEL]: '' }),
  };
  const {
    [TRIGGER_TIME_ANNOTATION]: _before,
    [OVER_CAPACITY_ANNOTATION]: capacity,
    ...others
  } = current?.metadata.annotations ?? {};
  const upToDate =
    current !== undefined &&
    sameSubsets(current.subsets, subsets) &&
    sameMap(current.metadata.labels, labels) &&
    (capacity === 'truncated') === truncated;
  if (upToDate) return undefined;
  const annotations = {
    ...others,
    ...(triggerTime !== undefined && { [TRIGGER_TIME_ANNOTATION]: triggerTime }),
    ...(truncated && { [OVER_CAPACITY_ANNOTATION]: 'truncated' }),
  };
  const { annotations: _replaced, ...metadata } = current?.metadata ?? {
    name: service.metadata.name,
    namespace: service.metadata.namespace ?? '',
  };
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, labels, ...(Object.keys(annotations).length > 0 && { annotations }) },
    ...(subsets.length > 0 && { subsets }),
  };
}

function sameMap(a: Record<string, string> | undefined, b: Record<string, string>): boolean {
  const keys = Object.keys(a ?? {});
  return keys.length === Object.keys(b).length && keys.every((key) => a?.[key] === b[key]);
}

const isOurs = ({ metadata }: Endpoints) => metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;

export function endpointsController(): Controller {
  const times = new TriggerTimes();
  return defineController({
    name: 'endpoint-controller',
    indexes: servicePodIndexes,
    triggers: [
      trigger(SERVICES, itself),
      trigger(PODS, serviceKeysOfPodChange),
      // Heals an object that someone else changed. One without a Service may be waiting for it (people apply the Endpoints first),
      // so only our own leftovers are due then.
      trigger(ENDPOINTS, ({ object }, view) =>
        isOurs(object) || view.get(SERVICES, object.metadata.name, object.metadata.namespace) ? [keyOf(object)] : [],
      ),
    ],
    // Those whose Service went while nobody looked (2-028).
    atStart: (view) => view.list(ENDPOINTS).map(keyOf),
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const service = view.get(SERVICES, name, namespace);
      const current = view.get(ENDPOINTS, name, namespace);
      if (!service) {
        times.forget(key);
        if (!current || current.metadata.annotations?.[LEADER_ANNOTATION] !== undefined) return done;
        const { uid } = current.metadata;
        await ignoreNotFound(view.client.delete(ENDPOINTS, name, namespace, uid ? { preconditions: { uid } } : {}));
        return done;
      }
      if (!isSelecting(service)) return done;
      const pods = podsOfService(service, view);
      const news = times.observe(key, service, pods);
      const wanted = planEndpoints(service, pods, current, news.time);
      if (!wanted) {
        news.commit();
        return done;
      }
      try {
        if (current) await view.client.update(ENDPOINTS, wanted);
        else await unlessTerminating(view.client.create(ENDPOINTS, wanted));
        news.commit();
      } catch (error) {
        // The informer is behind the server. Its next event makes the key due; the delay is only for the case that none comes.
        if (isConflict(error) || isAlreadyExists(error)) return retryAfter(50);
        const verb = current ? 'Update' : 'Create';
        view.event(wanted, 'Warning', `FailedTo${verb}Endpoint`, messageOf(error));
        throw error;
      }
      return done;
    },
  });
}
