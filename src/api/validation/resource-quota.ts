/** ResourceQuotas: what they may limit, and scopes that go together. */
import { deepEqual } from '../deep-equal.ts';
import { invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { parseQuantity } from '../quantity.ts';
import type { Core, ResourceQuota } from '../types.ts';
import { isCountedResource, validateQuotaResourceName } from './resource-names.ts';

export const QUOTA_SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

export function validateResourceQuota({ spec }: ResourceQuota): FieldError[] {
  return [
    ...validateQuantities(spec?.hard, 'spec.hard'),
    ...validateScopes(spec ?? {}),
    ...(spec?.scopeSelector?.matchExpressions ?? []).flatMap((term, index) =>
      validateTerm(term, `spec.scopeSelector.matchExpressions[${index}]`),
    ),
  ];
}

export function validateResourceQuotaUpdate(quota: ResourceQuota, old: ResourceQuota): FieldError[] {
  const errors = validateResourceQuota(quota);
  const sorted = (each: ResourceQuota) => [...(each.spec?.scopes ?? [])].sort();
  if (!deepEqual(sorted(quota), sorted(old))) {
    errors.push(invalid('spec.scopes', quota.spec?.scopes ?? [], 'field is immutable'));
  }
  return errors;
}

export const validateResourceQuotaStatus = ({ status }: ResourceQuota): FieldError[] => [
  ...validateQuantities(status?.hard, 'status.hard'),
  ...validateQuantities(status?.used, 'status.used'),
];

function validateQuantities(list: Record<string, string> | undefined, path: string): FieldError[] {
  return Object.entries(list ?? {}).flatMap(([name, text]) => {
    const at = `${path}[${name}]`;
    const nanos = parseQuantity(text)?.nanos ?? 0n;
    const errors = validateQuotaResourceName(name, at);
    if (nanos < 0n) errors.push(invalid(at, text, 'must be greater than or equal to 0'));
    if (isCountedResource(name) && nanos % 1_000_000_000n !== 0n) errors.push(invalid(at, text, 'must be an integer'));
    return errors;
  });
}

function validateScopes({ scopes = [], hard = {} }: Core.ResourceQuotaSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const scope of new Set(scopes)) {
    if (!QUOTA_SCOPES.includes(scope)) errors.push(invalid('spec.scopes', scopes, 'unsupported scope'));
    for (const name of Object.keys(hard)) {
      if (isAllowedWith(scope, name)) continue;
      errors.push(invalid('spec.scopes', scopes, 'unsupported scope applied to resource'));
    }
  }
  if (OPPOSITES.some(([one, other]) => scopes.includes(one) && scopes.includes(other))) {
    errors.push(invalid('spec.scopes', scopes, 'conflicting scopes'));
  }
  return errors;
}

/** Scopes are about Pods, so only what Pods use can be limited within one; of BestEffort Pods only their number. */
function isAllowedWith(scope: string, name: string): boolean {
  if (name.startsWith('count/')) return true;
  if (scope === 'BestEffort') return name === 'pods';
  if (scope === 'VolumeAttributesClass') return name.includes('persistentvolumeclaims') || name.includes('storage');
  const plain = name.replace(/^(requests|limits)\./, '');
  return ['pods', 'cpu', 'memory', 'ephemeral-storage'].includes(plain) || plain.startsWith('hugepages-');
}

const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

function validateTerm(
  { scopeName, operator, values }: Core.ScopedResourceSelectorRequirement,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!QUOTA_SCOPES.includes(scopeName)) errors.push(invalid(`${path}.scopeName`, scopeName, 'unsupported scope'));
  if (!OPERATORS.includes(operator)) errors.push(notSupported(`${path}.operator`, operator, OPERATORS));
  const count = (values ?? []).length;
  if ((operator === 'In' || operator === 'NotIn') && count === 0) {
    errors.push(
      required(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
    );
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && count > 0) {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    errors.push(invalid(`${path}.values`, values, why));
  }
  return errors;
}
