/** IP families and their policy, once the families of the cluster are known (features 1-040 to 1-050). */
import { familyOf, type Family } from '../lib/ip.ts';
import { deepEqual } from './deep-equal.ts';
import { invalid, type FieldError } from './field-error.ts';
import { isHeadless } from './service-changes.ts';
import type { Service } from './types.ts';

/**
 * Fills `ipFamilies` and `ipFamilyPolicy` in place and shortens lists on a downgrade; run after validation and before cluster IPs are
 * allocated. Addresses beyond `clusterIPs.length` up to `ipFamilies.length` are then to be allocated.
 * @param families of the cluster, the default one first
 * @param old the stored Service on an update; leave it out when it was an ExternalName, which is like a create
 */
export function initIpFamilies(service: Service, old: Service | undefined, families: readonly Family[]): FieldError[] {
  const { spec } = service;
  if (spec.type === 'ExternalName') return [];
  const before = old && old.spec.type !== 'ExternalName' ? old : undefined;
  if (before && keepsPreferDualStack(service, before)) return [];

  const free = isHeadless(service) && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= before?.spec.ipFamilyPolicy ?? (free ? 'RequireDualStack' : 'SingleStack');
  if (before) downgrade(service, before);
  const reduced = before ? checkReduced(service, before) : [];

  const inferred = [...((spec.ipFamilies ?? []) as Family[])];
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    const family = familyOf(address);
    if (family && index >= inferred.length) inferred.push(family);
  }
  const errors = [...reduced, ...checkFamilies(service, inferred, families, free)];
  if (errors.length > 0) return errors;

  if (inferred.length === 0) inferred.push(families[0] ?? 'IPv4');
  if (spec.ipFamilyPolicy !== 'SingleStack' && inferred.length === 1 && (families.length > 1 || free)) {
    inferred.push(inferred[0] === 'IPv4' ? 'IPv6' : 'IPv4');
  }
  spec.ipFamilies = inferred;
  return [];
}

/** A PreferDualStack Service does not change merely because the cluster did (1-049). */
function keepsPreferDualStack({ spec }: Service, { spec: before }: Service): boolean {
  return (
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    before.ipFamilyPolicy === 'PreferDualStack' &&
    deepEqual(spec.clusterIPs, before.clusterIPs) &&
    deepEqual(spec.ipFamilies, before.ipFamilies) &&
    spec.type === before.type
  );
}

/** SingleStack asked for and nothing else touched: the second of each list goes (1-047). */
function downgrade({ spec }: Service, { spec: before }: Service): void {
  if (spec.ipFamilyPolicy !== 'SingleStack' || before.ipFamilyPolicy === 'SingleStack') return;
  if (spec.clusterIPs && deepEqual(spec.clusterIPs, before.clusterIPs)) spec.clusterIPs = spec.clusterIPs.slice(0, 1);
  if (spec.ipFamilies && deepEqual(spec.ipFamilies, before.ipFamilies)) spec.ipFamilies = spec.ipFamilies.slice(0, 1);
}

/** A second address or family only goes where SingleStack says that this is meant; headless Services included. */
function checkReduced({ spec }: Service, { spec: before }: Service): FieldError[] {
  if (spec.ipFamilyPolicy === 'SingleStack') return [];
  const reduced = (now: readonly string[] = [], old: readonly string[] = []) =>
    now.length > 0 && now.length < old.length;
  const why = (what: string) =>
    invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(reduced(spec.clusterIPs, before.clusterIPs) ? [why('cluster IP')] : []),
    ...(reduced(spec.ipFamilies, before.ipFamilies) ? [why('IP family')] : []),
  ];
}

function checkFamilies(
  { spec }: Service,
  wanted: readonly Family[],
  families: readonly Family[],
  free: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const several = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if ((spec.clusterIPs ?? []).length > 1) {
      errors.push(invalid('spec.ipFamilyPolicy', 'SingleStack', `${several} cluster IPs are specified`));
    }
    if ((spec.ipFamilies ?? []).length > 1) {
      errors.push(invalid('spec.ipFamilyPolicy', 'SingleStack', `${several} IP families are specified`));
    }
  }
  if (free) return errors;
  if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    const why = 'this cluster is not configured for dual-stack services';
    errors.push(invalid('spec.ipFamilyPolicy', 'RequireDualStack', why));
  }
  for (const [index, family] of wanted.entries()) {
    if (families.includes(family)) continue;
    errors.push(
      index < (spec.ipFamilies ?? []).length
        ? invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster')
        : invalid(`spec.clusterIPs[${index}]`, spec.clusterIPs, `${family} is not configured on this cluster`),
    );
  }
  return errors;
}
