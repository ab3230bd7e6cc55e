/**
 * HorizontalPodAutoscaler of autoscaling/v1, which knows one target: the use of CPU. All else that v2 can say it carries in annotations, in
 * the forms of v1, so that a write through v1 loses nothing.
 */
import type { Autoscaling, HorizontalPodAutoscaler, KubeObject } from '../types.ts';
import type { Conversion } from './conversion.ts';

const annotation = (name: string) => `autoscaling.alpha.kubernetes.io/${name}`;
const METRICS = annotation('metrics');
const BEHAVIOR = annotation('behavior');
const CURRENT_METRICS = annotation('current-metrics');
const CONDITIONS = annotation('conditions');

type Fields = Record<string, unknown>;

interface Value {
  averageUtilization?: number;
  averageValue?: string;
  value?: string;
}

/** A metric of v2: what is wanted (`target`) or how it is (`current`). */
interface Source {
  name?: string;
  container?: string;
  metric?: { name?: string; selector?: unknown };
  describedObject?: unknown;
  target?: Value & { type?: string };
  current?: Value;
}

/** A metric of v1, in which the words of target and present state differ in their first part. */
type OldSource = Fields;

const memberOf: Readonly<Record<string, string>> = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
};

type When = 'target' | 'current';
type Metric = Fields & { type?: string };

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function toOldMetric(metric: Metric, when: When): Metric {
  const member = memberOf[metric.type ?? ''] ?? '';
  const source = metric[member] as Source | undefined;
  if (!source) return metric;
  const { averageUtilization, averageValue, value } = source[when] ?? {};
  const isObject = member === 'object';
  const old: OldSource = {
    name: source.name,
    container: source.container,
    ...(isObject && { target: source.describedObject, averageValue }),
    metricName: source.metric?.name,
    [member === 'external' ? 'metricSelector' : 'selector']: source.metric?.selector,
    [`${when}AverageUtilization`]: averageUtilization,
    [`${when}Value`]: value,
    [`${when}AverageValue`]: isObject ? undefined : averageValue,
  };
  return { type: metric.type, [member]: defined(old) } as Metric;
}

function fromOldMetric(metric: Metric, when: When): Metric {
  const member = memberOf[metric.type ?? ''] ?? '';
  const old = metric[member] as OldSource | undefined;
  if (!old) return metric;
  const averageUtilization = old[`${when}AverageUtilization`];
  const averageValue = old[`${when}AverageValue`] ?? old['averageValue'];
  const value = old[`${when}Value`];
  const type = averageUtilization !== undefined ? 'Utilization' : averageValue !== undefined ? 'AverageValue' : 'Value';
  const name = old['metricName'];
  const selector = old['selector'] ?? old['metricSelector'];
  const source = {
    name: old['name'],
    container: old['container'],
    describedObject: member === 'object' ? old['target'] : undefined,
    metric: name === undefined ? undefined : defined({ name, selector }),
    [when]: defined({ type: when === 'target' ? type : undefined, averageUtilization, averageValue, value }),
  };
  return { type: metric.type, [member]: defined(source) } as Metric;
}

const isCpu = ({ resource }: Metric): boolean => {
  const { name, target } = (resource ?? {}) as Source;
  return name === 'cpu' && target?.averageUtilization !== undefined;
};
const cpuMetric = (averageUtilization: number): Metric => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

/** Annotations of an object as values; what is no JSON counts as not there. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const listOf = (value: unknown): Metric[] => (Array.isArray(value) ? (value as Metric[]) : []);

interface OldAutoscaler extends KubeObject {
  spec?: Fields & { targetCPUUtilizationPercentage?: number };
  status?: Fields & { currentCPUUtilizationPercentage?: number };
}

export const horizontalPodAutoscalerV1: Conversion = {
  toVersion(stored) {
    const { metadata, spec, status } = stored as HorizontalPodAutoscaler;
    const { metrics, behavior, ...rest } = spec ?? ({} as Autoscaling.HorizontalPodAutoscalerSpec);
    const { currentMetrics, conditions, ...state } = status ?? ({} as Autoscaling.HorizontalPodAutoscalerStatus);
    const wanted = listOf(metrics);
    const cpu = wanted.find(isCpu);
    // The CPU alone needs no annotation; among others it keeps its place there.
    const others = cpu && wanted.length === 1 ? [] : wanted.map((metric) => toOldMetric(metric, 'target'));
    const percentage = (cpu?.['resource'] as Source | undefined)?.target?.averageUtilization;
    const current = listOf(currentMetrics);
    const used = current.find(({ resource }) => (resource as Source | undefined)?.name === 'cpu');
    const now = (used?.['resource'] as Source | undefined)?.current?.averageUtilization;
    const said: [string, unknown][] = [
      [METRICS, others.length > 0 ? others : undefined],
      [BEHAVIOR, behavior],
      [CURRENT_METRICS, current.length > 0 ? current.map((metric) => toOldMetric(metric, 'current')) : undefined],
      [CONDITIONS, conditions],
    ];
    const added = said.flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.stringify(value)]]));
    const annotations = { ...metadata.annotations, ...(Object.fromEntries(added) as Record<string, string>) };
    return {
      ...stored,
      metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
      ...(spec && {
        spec: { ...rest, ...(percentage !== undefined && { targetCPUUtilizationPercentage: percentage }) },
      }),
      ...(status && { status: { ...state, ...(now !== undefined && { currentCPUUtilizationPercentage: now }) } }),
    } as KubeObject;
  },
  fromVersion(object) {
    const { metadata, spec, status } = object as OldAutoscaler;
    const { targetCPUUtilizationPercentage: percentage, ...rest } = spec ?? {};
    const { currentCPUUtilizationPercentage: used, ...state } = status ?? {};
    const { annotations: all = {}, ...meta } = metadata;
    const {
      [METRICS]: metricText,
      [BEHAVIOR]: behaviorText,
      [CURRENT_METRICS]: currentText,
      [CONDITIONS]: conditionText,
      ...annotations
    } = all;
    const others = listOf(parsed(metricText)).map((metric) => fromOldMetric(metric, 'target'));
    const metrics =
      percentage === undefined
        ? others.filter((metric) => !isCpu(metric))
        : others.some(isCpu)
          ? others.map((metric) => (isCpu(metric) ? cpuMetric(percentage) : metric))
          : [cpuMetric(percentage), ...others];
    const current = listOf(parsed(currentText)).map((metric) => fromOldMetric(metric, 'current'));
    if (used !== undefined && current.length === 0) {
      current.push({ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: used } } });
    }
    return {
      ...object,
      metadata: { ...meta, ...(Object.keys(annotations).length > 0 && { annotations }) },
      ...(spec && {
        spec: { ...rest, ...(metrics.length > 0 && { metrics }), ...said('behavior', parsed(behaviorText)) },
      }),
      ...(status && {
        status: {
          ...state,
          ...(current.length > 0 && { currentMetrics: current }),
          ...said('conditions', parsed(conditionText)),
        },
      }),
    } as KubeObject;
  },
};

const said = (field: string, value: unknown): Fields =>
  value === undefined || value === null ? {} : { [field]: value };
