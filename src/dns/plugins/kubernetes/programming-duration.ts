/** How long it took from a change of Pods to its answer (feature 4-062): of headless Services, as their slices say when it happened. */
import type { EndpointSlice, Service } from '../../../api/types.ts';
import type { Change } from '../../../client/client.ts';
import { exponentialBounds, Histogram } from '../../../lib/prometheus.ts';
import type { DnsMetrics } from '../../metrics.ts';
import { serviceNameOf } from './cluster-view.ts';

/** RFC 3339, written by the controller that writes the slice. */
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

export type ObserveSlice = (change: Change<EndpointSlice>) => void;

/**
 * @param since ms since the epoch: changes before it waited for this program to start, not for its work
 * @param now ms since the epoch
 */
export function programmingDuration(
  metrics: DnsMetrics,
  serviceOf: (namespace: string, name: string) => Service | undefined,
  since: number,
  now: () => number,
): ObserveSlice {
  const durations = metrics.add(
    new Histogram(
      'coredns_kubernetes_dns_programming_duration_seconds',
      'From a change of the endpoints of a Service to its answer in seconds.',
      exponentialBounds(0.001, 2, 20),
      [],
    ),
  );
  return (change) => {
    const seconds = secondsOf(change, since, now());
    if (seconds === undefined) return;
    const { object } = change;
    const service = serviceOf(object.metadata.namespace ?? '', serviceNameOf(object));
    if (service?.spec.clusterIP !== 'None') return;
    const kind = service.spec.selector ? 'headless_with_selector' : 'headless_without_selector';
    durations.series({ service_kind: kind }).observe(seconds);
  };
}

/** A slice that changed for another reason keeps its time, and is not counted once more. */
function secondsOf(change: Change<EndpointSlice>, since: number, now: number): number | undefined {
  if (change.type === 'deleted') return undefined;
  const text = triggerTimeOf(change.object);
  if (text === undefined || (change.type === 'updated' && triggerTimeOf(change.old) === text)) return undefined;
  const time = Date.parse(text);
  return time >= since ? Math.max(0, now - time) / 1000 : undefined;
}

const triggerTimeOf = ({ metadata }: EndpointSlice): string | undefined => metadata.annotations?.[TRIGGER_TIME];
