/** spec.clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, which only make sense together (features 1-019, 1-029 to 1-039, 1-047). */
import { familyOf } from '../../lib/ip.ts';
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { isHeadless } from '../service-changes.ts';
import type { Service } from '../types.ts';
import { validateIp } from './ip.ts';

const families = ['IPv4', 'IPv6'];
const policies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'];

export function validateClusterIps({ spec }: Service, accepted: readonly string[] = []): FieldError[] {
  if (spec.type === 'ExternalName') return forbidOnExternalName(spec);
  const errors: FieldError[] = [];
  const addresses = spec.clusterIPs ?? [];
  if (addresses.length === 0) {
    if (spec.clusterIP) errors.push(required('spec.clusterIPs'));
  } else if (!spec.clusterIP) {
    errors.push(invalid('spec.clusterIPs', addresses, 'must be empty when `clusterIP` is not specified'));
  } else if (addresses[0] !== spec.clusterIP) {
    errors.push(invalid('spec.clusterIPs', addresses, 'first value must match `clusterIP`'));
  }
  errors.push(...validateFamilies(spec));
  const addressErrors = validateAddresses(addresses, accepted);
  if (addresses.length > 2) errors.push(invalid('spec.clusterIPs', addresses, 'may only hold up to 2 values'));
  errors.push(...addressErrors);
  // A wrong address would make every comparison below wrong, too.
  return addressErrors.length > 0 ? errors : [...errors, ...compareWithFamilies(spec)];
}

function forbidOnExternalName(spec: Service['spec']): FieldError[] {
  const why = 'may not be set for ExternalName services';
  return [
    ...((spec.clusterIPs ?? []).length > 0 || spec.clusterIP ? [forbidden('spec.clusterIPs', why)] : []),
    ...((spec.ipFamilies ?? []).length > 0 ? [forbidden('spec.ipFamilies', why)] : []),
    ...(spec.ipFamilyPolicy !== undefined ? [forbidden('spec.ipFamilyPolicy', why)] : []),
  ];
}

function validateFamilies(spec: Service['spec']): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy)) {
    errors.push(notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, policies));
  }
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    const path = `spec.ipFamilies[${index}]`;
    if (!families.includes(family)) errors.push(notSupported(path, family, families));
    if (spec.ipFamilies?.slice(0, index).includes(family)) errors.push(duplicate(path, family));
  }
  return errors;
}

function validateAddresses(addresses: readonly string[], accepted: readonly string[]): FieldError[] {
  return addresses.flatMap((address, index) => {
    if (index > 0 || address !== 'None') return validateIp(`spec.clusterIPs[${index}]`, address, accepted);
    return addresses.length > 1
      ? [invalid('spec.clusterIPs', addresses, "'None' must be the first and only value")]
      : [];
  });
}

function compareWithFamilies(spec: Service['spec']): FieldError[] {
  const addresses = spec.clusterIPs ?? [];
  const errors: FieldError[] = [];
  const [first, second] = addresses.map(familyOf);
  if (addresses.length > 1 && (addresses.length !== 2 || first === second)) {
    errors.push(invalid('spec.clusterIPs', addresses, 'may specify no more than one IP for each IP family'));
  }
  for (const [index, address] of addresses.entries()) {
    const wanted = spec.ipFamilies?.[index];
    if (address === 'None' || wanted === undefined || familyOf(address) === wanted) continue;
    const why = `expected an ${wanted} value as indicated by \`ipFamilies[${index}]\``;
    errors.push(invalid(`spec.clusterIPs[${index}]`, address, why));
  }
  return errors;
}

/** What may change once allocated: nothing but a second address coming or going (`initIpFamilies` asks for SingleStack then). */
export function validateClusterIpChange(service: Service, old: Service): FieldError[] {
  if (service.spec.type === 'ExternalName' || old.spec.type === 'ExternalName') return [];
  if (isHeadless(service) && isHeadless(old)) return [];
  const addresses = compareLists(service, 'clusterIPs', 'clusterIP', old);
  return isHeadless(service) || isHeadless(old)
    ? addresses
    : [...addresses, ...compareLists(service, 'ipFamilies', 'ipFamily', old)];
}

function compareLists(
  service: Service,
  field: 'clusterIPs' | 'ipFamilies',
  singular: string,
  old: Service,
): FieldError[] {
  const [now, before] = [service.spec[field] ?? [], old.spec[field] ?? []];
  const changed = (index: number) => invalid(`spec.${field}[${index}]`, now, 'may not change once set');
  if (now.length === before.length) {
    return now.flatMap((value, index) => (value === before[index] ? [] : [changed(index)]));
  }
  if (now.length > before.length) return before.length > 0 && now[0] !== before[0] ? [changed(0)] : [];
  if (now.length === 0) return [invalid(`spec.${field}[0]`, now, `primary ${singular} can not be unset`)];
  return now[0] === before[0] ? [] : [changed(0)];
}
