/** Nodes, Leases, Events and PodDisruptionBudgets. */
import { parseCidr } from '../../lib/cidr.ts';
import { deepEqual } from '../deep-equal.ts';
import { forbidden, invalid, type FieldError } from '../field-error.ts';
import { qualifiedName, labelValue } from '../names.ts';
import type { Event, Lease, Node, PodDisruptionBudget } from '../types.ts';
import { follows, mustFollow, requiredOneOf, validateLabelSelector } from './check.ts';
import { validateIntOrPercent } from './workloads.ts';

const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function validateNode({ spec }: Node): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, { key, value, effect }] of (spec?.taints ?? []).entries()) {
    const path = `spec.taints[${index}]`;
    errors.push(...mustFollow(qualifiedName, `${path}.key`, key), ...follows(labelValue, `${path}.value`, value));
    errors.push(...requiredOneOf(`${path}.effect`, effect, effects));
  }
  for (const [index, cidr] of (spec?.podCIDRs ?? []).entries()) {
    if (parseCidr(cidr)) continue;
    const why = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
    errors.push(invalid(`spec.podCIDRs[${index}]`, cidr, why));
  }
  if ((spec?.podCIDRs ?? []).length > 0 && spec?.podCIDR !== spec?.podCIDRs?.[0]) {
    errors.push(invalid('spec.podCIDRs', spec?.podCIDRs, 'first value must match `podCIDR`'));
  }
  return errors;
}

/** Routes and addresses of running Pods hang on the range, so it is set once. */
export function validateNodeUpdate(node: Node, old: Node): FieldError[] {
  const [now, before] = [node.spec?.podCIDRs ?? [], old.spec?.podCIDRs ?? []];
  const errors = validateNode(node);
  if (before.length > 0 && !deepEqual(now, before)) {
    errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  }
  const provider = old.spec?.providerID;
  if (provider && node.spec?.providerID !== provider) {
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  return errors;
}

export function validateLease({ spec }: Lease): FieldError[] {
  const errors: FieldError[] = [];
  const { holderIdentity, leaseDurationSeconds, leaseTransitions } = spec ?? {};
  if (holderIdentity === '') errors.push(invalid('spec.holderIdentity', '', 'must not be empty'));
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'));
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    errors.push(invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'));
  }
  return errors;
}

/** Events about cluster-scoped objects live in `default` (feature 8-105). */
export function validateEvent(event: Event): FieldError[] {
  const about = (event as Partial<Event>).involvedObject?.namespace ?? '';
  const { namespace } = event.metadata;
  if (about === '' ? namespace === 'default' || namespace === 'kube-system' : about === namespace) return [];
  return [invalid('involvedObject.namespace', about, 'does not match event.namespace')];
}

export function validatePodDisruptionBudget({ spec }: PodDisruptionBudget): FieldError[] {
  const { minAvailable, maxUnavailable, selector } = spec ?? {};
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    return [invalid('spec', { minAvailable, maxUnavailable }, 'minAvailable and maxUnavailable cannot be both set')];
  }
  return [
    ...validateIntOrPercent('spec.minAvailable', minAvailable),
    ...validateIntOrPercent('spec.maxUnavailable', maxUnavailable),
    ...validateLabelSelector(selector, 'spec.selector'),
  ];
}
