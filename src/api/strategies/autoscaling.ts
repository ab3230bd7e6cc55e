/** HorizontalPodAutoscalers: stored and checked, for tools that make them; nothing here scales by metrics. */
import { defineStrategy } from '../define-strategy.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import type { Autoscaling, HorizontalPodAutoscaler } from '../types.ts';
import { mustExist, requiredOneOf } from '../validation/check.ts';

/** What a metric is measured against: the least use of a processor that more Pods are for, percent. */
const DEFAULT_CPU = 80;

type Metric = Autoscaling.MetricSpec;
const members = ['object', 'pods', 'resource', 'containerResource', 'external'] as const;
const types: Readonly<Record<string, (typeof members)[number]>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function validateTarget(target: Partial<Autoscaling.MetricTarget> | undefined, path: string): FieldError[] {
  const values = [target?.averageUtilization, target?.averageValue, target?.value].filter((each) => each !== undefined);
  const errors = requiredOneOf(`${path}.type`, target?.type, ['AverageValue', 'Utilization', 'Value']);
  if (values.length === 0) {
    errors.push(required(path, 'must set either a target value, a target average value or a target utilization'));
  }
  if (values.length > 1) errors.push(forbidden(path, 'may not set more than one of the targets'));
  if ((target?.averageUtilization ?? 1) < 1) {
    errors.push(invalid(`${path}.averageUtilization`, target?.averageUtilization, 'must be greater than 0'));
  }
  return errors;
}

function validateMetric(metric: Metric, path: string): FieldError[] {
  const member = types[metric.type];
  if (!member) return requiredOneOf(`${path}.type`, metric.type, Object.keys(types));
  const others = members.filter((each) => each !== member && metric[each] !== undefined);
  const source = metric[member];
  return [
    ...others.map((each) => forbidden(`${path}.${each}`, 'must populate the given metric source only')),
    ...(source
      ? validateTarget(source.target as Autoscaling.MetricTarget | undefined, `${path}.${member}.target`)
      : [required(`${path}.${member}`, 'must populate information for the given metric source')]),
  ];
}

function validateAutoscaler({ spec }: HorizontalPodAutoscaler): FieldError[] {
  if (!spec) return [required('spec')];
  const { minReplicas = 1, maxReplicas, metrics = [] } = spec;
  const target = spec.scaleTargetRef as typeof spec.scaleTargetRef | undefined;
  const errors: FieldError[] = [];
  if (minReplicas < 1) {
    errors.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  }
  if (maxReplicas < 1) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (maxReplicas < minReplicas) {
    errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  return [
    ...errors,
    ...mustExist('spec.scaleTargetRef.kind', target?.kind),
    ...mustExist('spec.scaleTargetRef.name', target?.name),
    ...metrics.flatMap((metric, index) => validateMetric(metric, `spec.metrics[${index}]`)),
  ];
}

export const horizontalPodAutoscalerStrategy = defineStrategy(K.HORIZONTAL_POD_AUTOSCALERS, {
  applyDefaults({ spec }) {
    if (!spec) return;
    spec.minReplicas ??= 1;
    if ((spec.metrics ?? []).length > 0) return;
    const target = { type: 'Utilization', averageUtilization: DEFAULT_CPU };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  },
  initialStatus: () => ({ currentReplicas: 0, desiredReplicas: 0 }),
  validate: validateAutoscaler,
});
