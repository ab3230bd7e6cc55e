/** What a pod is called from within (features 4-075, 4-076). Pure. */
import { hostnameOverrideOf } from '../api/pods.ts';
import type { Pod } from '../api/types.ts';

export interface PodNames {
  /** One label, or with spec.hostnameOverride whatever that says. */
  readonly hostname: string;
  /** <subdomain>.<namespace>.svc.<cluster domain>; empty without a subdomain, and where the name is overridden. */
  readonly domain: string;
}

/** Bytes of a label of DNS, and of the kernel's nodename without its end. */
const MAX_LABEL = 63;
const MAX_NODENAME = 64;

/** The whole name does not fit into the kernel: the pod cannot be started. */
export class HostnameTooLong extends Error {
  override name = 'HostnameTooLong';
}

/** A pod's own name may be longer than a label: then it is cut, and does not end in what a label cannot end in. */
export function podNames(pod: Pod, clusterDomain: string): PodNames {
  const override = hostnameOverrideOf(pod.spec);
  if (override !== undefined) return { hostname: override, domain: '' };
  const { hostname, subdomain } = pod.spec;
  const short = (hostname || pod.metadata.name).slice(0, MAX_LABEL).replace(/[-.]+$/, '');
  return {
    hostname: short,
    domain: subdomain ? `${subdomain}.${pod.metadata.namespace ?? ''}.svc.${clusterDomain}` : '',
  };
}

/** What the pod's processes see as the machine's name. @throws HostnameTooLong for a whole name (setHostnameAsFQDN) of over 64 bytes */
export function kernelHostname({ spec }: Pod, { hostname, domain }: PodNames): string {
  if (spec.setHostnameAsFQDN !== true || domain === '') return hostname;
  const whole = `${hostname}.${domain}`;
  if (whole.length <= MAX_NODENAME) return whole;
  throw new HostnameTooLong(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${whole} is too long (${MAX_NODENAME} characters is the max, ${whole.length} characters requested)`,
  );
}
