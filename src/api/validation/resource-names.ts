/** Names of resources in limits and quotas. */
import { invalid, type FieldError } from '../field-error.ts';
import { qualifiedName } from '../names.ts';

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'];
/** Counted in whole numbers. */
const COUNTED = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const QUOTA = [
  ...COMPUTE,
  ...COMPUTE.map((name) => `requests.${name}`),
  ...COMPUTE.map((name) => `limits.${name}`),
  ...COUNTED,
  'requests.storage',
];

const isPlain = (name: string) => !name.includes('/');
const isHugePages = (name: string) => /^(requests\.)?hugepages-/.test(name);

/** Quotas count these; `count/RESOURCE.GROUP` too. */
export const isCountedResource = (name: string): boolean => COUNTED.includes(name) || name.startsWith('count/');

export function validateResourceName(name: string, path: string): FieldError[] {
  const problems = qualifiedName(name);
  if (problems.length > 0) return problems.map((problem) => invalid(path, name, problem));
  const standard = QUOTA.includes(name) || name === 'storage' || isHugePages(name);
  return isPlain(name) && !standard ? [invalid(path, name, 'must be a standard resource type or fully qualified')] : [];
}

export function validateContainerResourceName(name: string, path: string): FieldError[] {
  const errors = validateResourceName(name, path);
  if (errors.length > 0 || !isPlain(name) || COMPUTE.includes(name) || name.startsWith('hugepages-')) return errors;
  return [invalid(path, name, 'must be a standard resource for containers')];
}

export function validateQuotaResourceName(name: string, path: string): FieldError[] {
  const errors = validateResourceName(name, path);
  return errors.length === 0 && name === 'storage'
    ? [invalid(path, name, 'must be a standard resource for quota')]
    : errors;
}
