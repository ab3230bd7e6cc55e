/**
 * What of an object makes no sense, in sentences: the API server refuses these, an old or foreign one may not have. What is said here
 * is left out of the Plan elsewhere, and the rest is served. Costs next to nothing where all is well.
 */
import type { Service } from '../../api/types.ts';
import { parseNetwork } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';

type Spec = Service['spec'];

/** Names become parts of rules and their comments: whoever wrote one must not be able to write a rule. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

export const isName = (text: string): boolean => NAME.test(text);

export const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

/** Seconds, as the API allows them. */
export const isTimeout = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 86_400;

/** Whether some `loadBalancerSourceRanges` are none: who may use the load balancer is then not known. */
export const hasBadRanges = (spec: Spec): boolean =>
  (spec.loadBalancerSourceRanges ?? []).some((text) => !parseNetwork(text.trim()));

/** Of the Service as a whole; its ports are looked at one by one. */
export function serviceProblems({ spec, status }: Service): readonly string[] {
  const problems: string[] = [];
  const addresses = (field: string, texts: readonly string[]) => {
    for (const text of texts)
      if (!parseIp(text.trim())) problems.push(`${field}: ${quoted(text)} is no IP address; left out`);
  };
  addresses('clusterIP', spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? '']);
  addresses('externalIPs', spec.externalIPs ?? []);
  addresses(
    'loadBalancer.ingress',
    (status?.loadBalancer?.ingress ?? []).flatMap((one) => one.ip ?? []),
  );
  for (const text of spec.loadBalancerSourceRanges ?? []) {
    if (!parseNetwork(text.trim()))
      problems.push(`loadBalancerSourceRanges: ${quoted(text)} is no range; nobody gets in by it`);
  }
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === 'ClientIP' && timeout !== undefined && !isTimeout(timeout))
    problems.push(`sessionAffinityConfig: ${String(timeout)} seconds are not between 1 and 86400; taken as 10800`);
  const { healthCheckNodePort } = spec;
  if (healthCheckNodePort && !isPort(healthCheckNodePort))
    problems.push(`healthCheckNodePort ${String(healthCheckNodePort)} is not between 1 and 65535; left out`);
  return problems;
}

/** Text from outside in a sentence: bounded, on one line. */
export const quoted = (text: unknown): string => JSON.stringify(String(text).slice(0, 100));
