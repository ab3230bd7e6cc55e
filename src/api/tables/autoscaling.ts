/** HorizontalPodAutoscalers. */
import type { Autoscaling, HorizontalPodAutoscaler } from '../types.ts';
import { age, orNone } from './cells.ts';
import { definePrinter } from './printer.ts';

/** More metrics than these are only counted. */
const MOST = 2;

interface Source {
  name?: string;
  target?: Partial<Autoscaling.MetricTarget>;
}
interface State {
  name?: string;
  current?: Partial<Autoscaling.MetricValueStatus>;
}

/** `cpu: <unknown>/80%`: how it is, and what is wanted. */
function target(metric: Autoscaling.MetricSpec, status: Autoscaling.MetricStatus | undefined): string {
  const { name, target: wanted = {} } = (metric.resource ?? metric.containerResource ?? {}) as Source;
  if (name !== undefined) {
    const { current } = (status?.resource ?? status?.containerResource ?? {}) as State;
    if (wanted.averageUtilization === undefined) {
      return `${name}: ${current?.averageValue ?? '<unknown>'}/${wanted.averageValue ?? '<auto>'}`;
    }
    const now = current?.averageUtilization === undefined ? '<unknown>' : `${String(current.averageUtilization)}%`;
    return `${name}: ${now}/${String(wanted.averageUtilization)}%`;
  }
  const source = (metric.pods ?? metric.object ?? metric.external) as Source | undefined;
  const state = (status?.pods ?? status?.object ?? status?.external) as State | undefined;
  const suffix = metric.pods === undefined && source?.target?.averageValue !== undefined ? ' (avg)' : '';
  const present = state?.current?.averageValue ?? state?.current?.value ?? '<unknown>';
  return `${present}/${source?.target?.averageValue ?? source?.target?.value ?? '<unknown>'}${suffix}`;
}

function targets({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  const shown = metrics.slice(0, MOST).map((metric, index) => target(metric, status?.currentMetrics?.[index]));
  return orNone(shown.join(', ')) + (metrics.length > MOST ? ` + ${String(metrics.length - MOST)} more...` : '');
}

export const horizontalPodAutoscalerPrinter = definePrinter<HorizontalPodAutoscaler>([
  [
    'Reference',
    'string',
    ({ spec }) => {
      const { kind = '', name = '' } = (spec?.scaleTargetRef ?? {}) as { kind?: string; name?: string };
      return `${kind}/${name}`;
    },
  ],
  ['Targets', 'string', targets],
  ['MinPods', 'string', ({ spec }) => String(spec?.minReplicas ?? '<unset>')],
  ['MaxPods', 'integer', ({ spec }) => spec?.maxReplicas ?? 0],
  ['Replicas', 'integer', ({ status }) => status?.currentReplicas ?? 0],
  ['Age', 'string', age],
]);
