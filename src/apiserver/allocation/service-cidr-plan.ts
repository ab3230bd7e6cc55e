/** When a ServiceCIDR is usable, and when it may go (features 1-114, 1-115, 1-117). Pure. */
import type { IPAddress, Meta, ServiceCIDR } from '../../api/types.ts';
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { timestamp } from '../../lib/clock.ts';
import { parseIp } from '../../lib/ip.ts';

export const CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
/** Milliseconds in which an allocation that was under way at the deletion may still show up. */
const SETTLE = 10_000;

const READY = 'Kubernetes Service CIDR is ready';
const BLOCKED =
  'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';

export interface ServiceCidrChange {
  /** Wanted finalizers; undefined: as they are. */
  readonly finalizers?: readonly string[];
  /** Wanted Ready condition; undefined: as it is. */
  readonly condition?: Meta.Condition;
}

/** Undefined: all is as it should be. `others` are all ServiceCIDRs but this one. */
export function planServiceCidr(
  object: ServiceCIDR,
  others: readonly ServiceCIDR[],
  addresses: readonly IPAddress[],
  now: number,
): ServiceCidrChange | undefined {
  const { metadata, status } = object;
  const present = metadata.finalizers ?? [];
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (metadata.deletionTimestamp === undefined) {
    const finalizers = present.includes(CIDR_FINALIZER) ? undefined : [...present, CIDR_FINALIZER];
    const condition = ready?.status === 'True' ? undefined : conditionOf('True', '', READY, now);
    if (!finalizers && !condition) return undefined;
    return { ...(finalizers && { finalizers }), ...(condition && { condition }) };
  }
  if (!present.includes(CIDR_FINALIZER)) return undefined;
  if (isNeeded(object, others, addresses)) {
    return ready?.reason === 'Terminating'
      ? undefined
      : { condition: conditionOf('False', 'Terminating', BLOCKED, now) };
  }
  if (now - Date.parse(metadata.deletionTimestamp) < SETTLE) return undefined;
  return { finalizers: present.filter((each) => each !== CIDR_FINALIZER) };
}

/** An address of its ranges would be in no range at all without it. */
function isNeeded(object: ServiceCIDR, others: readonly ServiceCIDR[], addresses: readonly IPAddress[]): boolean {
  const staying = others.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return addresses.some(
    ({ metadata }) => contains(object, metadata.name) && !staying.some((other) => contains(other, metadata.name)),
  );
}

function contains({ spec }: ServiceCIDR, address: string): boolean {
  const ip = parseIp(address);
  if (!ip) return false;
  return (spec.cidrs ?? []).some((text) => {
    const range = parseCidr(text);
    return range?.family === ip.family && cidrContains(range, ip);
  });
}

function conditionOf(status: string, reason: string, message: string, now: number): Meta.Condition {
  return { type: 'Ready', status, reason, message, lastTransitionTime: timestamp(now) };
}
